"""What an agent agrees to start, before anything is stored."""

from __future__ import annotations

import pytest

from quantdeck_agent.engines.command import EngineUnsupportedError, require_startable
from quantdeck_core.errors import InputError
from quantdeck_core.profile.schema import Profile
from quantdeck_core.profile.serve import Serve
from support.profiles import BUILT_IN


def test_it_starts_xllamacpp() -> None:
    for profile in BUILT_IN.values():
        if profile.engine == "xllamacpp":
            require_startable(profile)


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        (BUILT_IN["llama-2-7b-fp8"], "not vllm"),
        (Profile(name="p", model="m", serve=Serve(replicas=2)), "asks for 2 replicas"),
    ],
)
def test_it_says_what_it_does_not_start(profile: Profile, words: str) -> None:
    with pytest.raises(EngineUnsupportedError, match=words) as refused:
        require_startable(profile)
    assert refused.value.hint


def test_a_profile_with_problems_is_refused_here_too() -> None:
    with pytest.raises(InputError, match="'--rpc' is refused"):
        require_startable(Profile(name="p", model="m", serve=Serve(extra_args=("--rpc", "10.0.0.1:1"))))
