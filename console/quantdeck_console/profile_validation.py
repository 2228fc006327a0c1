"""Whether a profile can be used: its text, and its checkpoint where that is here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from quantdeck_checkpoints.local_source import LocalSource
from quantdeck_console.profile_source import model_path
from quantdeck_core.compat.judge import Verdict, judge
from quantdeck_core.compat.rules import parse_rules
from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.formats.detect import detect
from quantdeck_core.hardware.device import Device
from quantdeck_core.profile.defaults import resolved
from quantdeck_core.profile.names import VLLM
from quantdeck_core.profile.schema import Profile
from quantdeck_profiles import data


class Validation(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` prints.

    Attributes:
        checkpoint: what the checkpoint is, in words; None where it is not on this machine.
        verdict: of the profile's engine on it; None likewise, and for external engines.
        problems: why the engine would not start with this profile.
    """

    profile: Profile
    path: str
    checkpoint: str | None = None
    verdict: Verdict | None = None
    problems: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.problems and (self.verdict is None or self.verdict.verdict != "refused")

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{self.profile.name}: the profile is in order for {self.profile.engine}."
        if self.checkpoint is None:
            yield f"  {self.path} is not on this machine, so the checkpoint was not looked at (--model-path PATH)."
            return
        yield f"  {self.path}: {self.checkpoint}"
        if self.verdict is not None:
            yield f"  {self.verdict.engine}: {self.verdict.verdict}. {self.verdict.reason} {self.verdict.consequence}"
            if self.verdict.hint and self.verdict.verdict != "ok":
                yield f"  next: {self.verdict.hint}"
        yield from (f"  refused: {problem}" for problem in self.problems)


def validate(profile: Profile, version: str | None, model: Path | None, device: Device | None) -> Validation:
    """Look at the checkpoint.

    Args:
        version: of the engine; None for the one that the rules describe.
        model: where it is; None for the profile's own path, which need not exist here.
        device: None where none was named.

    Raises:
        NotFoundError: there is nothing at `model`.
        InputError: it is no checkpoint.
    """
    path = model_path(profile) if model is None else model
    if profile.engine == "external" or (model is None and not path.exists()):
        return Validation(profile=profile, path=str(path))
    found = detect(LocalSource(path))
    rules = parse_rules(data.text("compatibility"))
    engine = rules.engine_named(profile.engine if version is None else f"{profile.engine}@{version}")
    return Validation(
        profile=profile,
        path=str(path),
        checkpoint=found.label,
        verdict=judge(rules, found, engine, device),
        problems=tuple(_refusals(profile, found)),
    )


def _refusals(profile: Profile, found: Checkpoint) -> Iterator[str]:
    serve = resolved(profile, found.parameters)
    # llama.cpp warns and goes on.
    if profile.engine in VLLM and found.context_length and serve.max_model_len > found.context_length:
        yield f"max_model_len {serve.max_model_len} is more than the {found.context_length} tokens of the model."
