"""What the agent starts, and what it refuses before anything is stored."""

from __future__ import annotations

import pytest

from quantdeck_agent.engines.command import RECORD, KeyMissingError, command_line, recipe_of, require_startable
from quantdeck_agent.engines.record import EngineRecord
from quantdeck_core.errors import InputError
from quantdeck_core.profile.schema import Profile
from quantdeck_core.profile.serve import Serve


def record(profile: Profile, **changes: object) -> EngineRecord:
    facts = {"name": "e", "generation": 3, "epoch": 3, "model_path": "/models/m", "port": 9001} | changes
    return EngineRecord(profile=profile, place="coming", started_at=0.0, **facts)  # type: ignore[arg-type]


def test_flags_that_are_not_on_the_list_are_refused() -> None:
    with pytest.raises(InputError, match="--rpc"):
        require_startable(Profile(name="p", model="m", serve=Serve(extra_args=("--rpc", "10.0.0.1:1"))))


def test_a_key_that_the_agent_does_not_have_is_said_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = Profile(name="p", model="m", engine="llama-server", serve=Serve(api_key_env="MY_KEY"))
    with pytest.raises(KeyMissingError, match="MY_KEY"):
        require_startable(profile)
    monkeypatch.setenv("MY_KEY", "sesame")
    require_startable(profile)


def test_a_key_is_in_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sesame")
    profile = Profile(name="p", model="m", engine="llama-server", serve=Serve(api_key_env="MY_KEY"))
    argv, env = command_line(record(profile, program="/opt/llama-server"))
    assert argv[0] == "/opt/llama-server"
    assert env["LLAMA_API_KEY"] == "sesame"
    assert "sesame" not in " ".join(argv) + env[RECORD]


def test_the_same_recipe_is_known_whatever_the_port_and_the_replica() -> None:
    profile = Profile(name="p", model="m")
    first = recipe_of(record(profile, version="2026.10.11549", fingerprint="m:1:2"))
    assert recipe_of(record(profile, version="2026.10.11549", fingerprint="m:1:2", port=1, replica=2)) == first
    assert recipe_of(record(profile, version="2026.10.11550", fingerprint="m:1:2")) != first
    assert recipe_of(record(profile, version="2026.10.11549", fingerprint="m:1:3")) != first
    threads = Profile(name="p", model="m", serve=Serve(threads=2))
    assert recipe_of(record(threads, version="2026.10.11549", fingerprint="m:1:2")) != first
