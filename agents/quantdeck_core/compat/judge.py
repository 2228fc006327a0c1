"""The verdict on a checkpoint for one engine and one device."""

from __future__ import annotations

import msgspec

from quantdeck_core.compat.rules import Answer, Engine, Rule, Rules
from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.hardware.device import Device


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Can this engine serve it?

    Attributes:
        verdict: ``ok``; ``plugin``: once something is installed beside the engine; ``slow``: it runs, with less speed
            than the format promises; ``refused``.
        reason: why.
        consequence: what it means in use.
        hint: the next step.
    """

    engine: str
    verdict: Answer
    reason: str
    consequence: str = ""
    hint: str = ""


def judge(rules: Rules, checkpoint: Checkpoint, engine: Engine, device: Device | None) -> Verdict:
    """The first rule that fits; before any rule, a problem of the checkpoint that blocks every engine.

    Args:
        device: None where no device was named; rules for weak devices do not count then.
    """
    for problem in checkpoint.problems:
        if problem.blocks:
            return Verdict(engine=engine.name, verdict="refused", reason=problem.detail, hint=problem.hint)
    for rule in rules.rule:
        if fits(rule, checkpoint, engine, device):
            return Verdict(
                engine=engine.name,
                verdict=rule.verdict,
                reason=rule.reason,
                consequence=rule.consequence,
                hint=rule.hint,
            )
    return Verdict(
        engine=engine.name,
        verdict="refused",
        reason=f"No rule says that {engine.title} serves {checkpoint.label}.",
        hint="Where you know better, add a rule to the compatibility table.",
    )


def judge_all(rules: Rules, checkpoint: Checkpoint, device: Device | None) -> tuple[Verdict, ...]:
    """A verdict for every engine, in the table's order."""
    return tuple(judge(rules, checkpoint, engine, device) for engine in rules.engine)


def fits(rule: Rule, checkpoint: Checkpoint, engine: Engine, device: Device | None) -> bool:
    """Whether all conditions of a rule hold."""
    if not {engine.name, *engine.groups} & set(rule.engines):
        return False
    sm = None if device is None else device.sm
    return (
        (not rule.formats or checkpoint.format in rule.formats)
        and (not rule.schemes or checkpoint.scheme in rule.schemes)
        and (not rule.bits or checkpoint.bits in rule.bits)
        and rule.desc_act in (None, bool(checkpoint.desc_act))
        and rule.grouped in (None, checkpoint.group_size not in (None, -1))
        and rule.sym in (None, checkpoint.sym is not False)
        and (not rule.actorder or checkpoint.actorder in rule.actorder)
        and (rule.below_sm is None or (sm is not None and sm < rule.below_sm))
        and rule.cpu in (None, device is not None and device.kind == "cpu")
    )
