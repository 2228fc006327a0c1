"""Flagged prompts, asked again on both arms past the gateway: users neither wait for it nor are judged by it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from quantdeck_agent.canaries.asker import AskError, EngineAsker
from quantdeck_agent.canaries.target import ArmTarget, CanaryTarget
from quantdeck_core.incident.replay import Replayed, ReplayReport, conclude
from quantdeck_core.protocol.signals import AnswerSignals, FlaggedPrompt
from quantdeck_core.quality.signals import TextSignals, text_signals

AT_ONCE = 2
"""Prompts; each is asked on both arms."""
DEADLINE_S = 60.0


async def replay(flagged: Sequence[FlaggedPrompt], target: CanaryTarget, *, prompts: bool) -> ReplayReport:
    """Ask them again, as they were asked: same messages, same sampling.

    Args:
        prompts: have their text in the report, for an export.
    """
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(prompt: FlaggedPrompt) -> Replayed:
        async with gate:
            return await _again(prompt, target, text=prompts)

    return conclude(await asyncio.gather(*map(one, flagged)))


async def _again(flagged: FlaggedPrompt, target: CanaryTarget, *, text: bool) -> Replayed:
    body = msgspec.json.decode(flagged.request)
    arms = await asyncio.gather(*(_flags(target.arm(variant), body) for variant in ("control", "treatment")))
    errors = [arm for arm in arms if isinstance(arm, str)]
    control, treatment = (None if isinstance(arm, str) else arm for arm in arms)
    return Replayed(
        t=flagged.answer.t,
        flags=flags_of(flagged.answer),
        control=control,
        treatment=treatment,
        error="; ".join(errors),
        prompt=msgspec.json.encode(body).decode() if text else "",
    )


async def _flags(replicas: tuple[ArmTarget, ...], body: dict[str, object]) -> tuple[str, ...] | str:
    """What is wrong with an arm's answer now, or why it gave none."""
    if not replicas:
        return "an arm is not ready"
    asker = EngineAsker(replicas[0])
    try:
        said = await asker.again(body, DEADLINE_S)
    except AskError as error:
        return error.detail
    finally:
        await asker.close()
    return flags_of(text_signals(said.text))


def flags_of(signals: AnswerSignals | TextSignals) -> tuple[str, ...]:
    """What a person should look at, in words."""
    named = (
        ("loop", signals.repetition),
        ("refusal", signals.refusal),
        ("garbled", signals.garbled),
        ("empty", signals.empty),
    )
    return tuple(name for name, there in named if there)
