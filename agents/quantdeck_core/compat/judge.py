"""The verdict on a checkpoint for one engine and one device."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quantdeck_core.compat.rules import Answer, Engine, Rule, Rules
from quantdeck_core.engines.version import version_key
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
        version: of the engine; empty where no rule depends on it.
        gpu: the device that the verdict is for; None for any.
    """

    engine: str
    verdict: Answer
    reason: str
    consequence: str = ""
    hint: str = ""
    version: str = ""
    gpu: str | None = None


SEVERITY: dict[Answer, int] = {"ok": 0, "slow": 1, "plugin": 2, "refused": 3}
"""From the best verdict to the worst."""


def judge(rules: Rules, checkpoint: Checkpoint, engine: Engine, device: Device | None) -> Verdict:
    """A problem of the checkpoint that blocks every engine; else the stricter of what platform and format allow.

    Args:
        engine: with the version that is asked about.
        device: None where no device was named; conditions on devices do not hold then.
    """
    for problem in checkpoint.problems:
        if problem.blocks:
            return _verdict(engine, device, "refused", problem.detail, hint=problem.hint)
    platform = next((rule for rule in rules.platform if fits(rule, checkpoint, engine, device)), None)
    rule = next((rule for rule in rules.rule if fits(rule, checkpoint, engine, device)), None)
    if platform and platform.verdict == "refused":
        return _of(platform, engine, device)
    if rule is None:
        return _verdict(
            engine,
            device,
            "refused",
            f"No rule says that {engine.title} serves {checkpoint.label}.",
            hint="Where you know better, add a rule to the compatibility table.",
        )
    if platform is None or rule.verdict == "refused":
        return _of(rule, engine, device)
    strict = max(platform, rule, key=lambda one: SEVERITY[one.verdict])
    return _verdict(
        engine,
        device,
        strict.verdict,
        f"{platform.reason} {rule.reason}",
        " ".join(filter(None, (platform.consequence, rule.consequence))),
        " ".join(filter(None, (platform.hint, rule.hint))),
    )


def judge_any(rules: Rules, checkpoint: Checkpoint, engine: Engine, devices: Sequence[Device | None]) -> Verdict:
    """The verdict on the device that suits best, of at least one."""
    verdicts = [judge(rules, checkpoint, engine, device) for device in devices]
    return min(verdicts, key=lambda verdict: SEVERITY[verdict.verdict])


def judge_all(rules: Rules, checkpoint: Checkpoint, device: Device | None) -> tuple[Verdict, ...]:
    """A verdict for every engine, in the table's order."""
    return tuple(judge(rules, checkpoint, engine, device) for engine in rules.engine)


def fits(rule: Rule, checkpoint: Checkpoint, engine: Engine, device: Device | None) -> bool:
    """Whether all conditions of a rule hold."""
    return (
        bool({engine.name, *engine.groups} & set(rule.engines))
        and _fits_version(rule, engine.version)
        and _fits_checkpoint(rule, checkpoint)
        and _fits_device(rule, device)
    )


def _fits_version(rule: Rule, version: str) -> bool:
    return (not rule.since or version_key(version) >= version_key(rule.since)) and (
        not rule.before or version_key(version) < version_key(rule.before)
    )


def _fits_checkpoint(rule: Rule, checkpoint: Checkpoint) -> bool:
    return (
        (not rule.formats or checkpoint.format in rule.formats)
        and (not rule.schemes or checkpoint.scheme in rule.schemes)
        and (not rule.bits or checkpoint.bits in rule.bits)
        and rule.desc_act in (None, bool(checkpoint.desc_act))
        and rule.grouped in (None, checkpoint.group_size not in (None, -1))
        and rule.sym in (None, checkpoint.sym is not False)
        and (not rule.actorder or checkpoint.actorder in rule.actorder)
        and (not rule.strategies or checkpoint.strategy in rule.strategies)
        and (not rule.side_tensors or not set(rule.side_tensors).isdisjoint(checkpoint.side_tensors))
        and (not rule.declared_in or checkpoint.declared_in in rule.declared_in)
        and rule.split in (None, checkpoint.files > 1)
        and (not rule.tensor_types or not checkpoint.tensor_bytes.keys().isdisjoint(rule.tensor_types))
    )


def _fits_device(rule: Rule, device: Device | None) -> bool:
    if device is None:
        named = rule.sm or rule.below_sm is not None or rule.cpu or rule.kinds or rule.vendors or rule.devices
        return not named
    return (
        (not rule.sm or device.sm in rule.sm)
        and (rule.below_sm is None or (device.vendor in ("nvidia", "any") and device.sm < rule.below_sm))
        and rule.cpu in (None, device.kind == "cpu")
        and (not rule.kinds or device.kind in rule.kinds)
        and (not rule.vendors or device.vendor in rule.vendors)
        and (not rule.devices or device.name in rule.devices)
    )


def _of(rule: Rule, engine: Engine, device: Device | None) -> Verdict:
    return _verdict(engine, device, rule.verdict, rule.reason, rule.consequence, rule.hint)


def _verdict(
    engine: Engine, device: Device | None, verdict: Answer, reason: str, consequence: str = "", hint: str = ""
) -> Verdict:
    return Verdict(
        engine=engine.name,
        verdict=verdict,
        reason=reason,
        consequence=consequence,
        hint=hint,
        version=engine.version,
        gpu=device.name if device else None,
    )
