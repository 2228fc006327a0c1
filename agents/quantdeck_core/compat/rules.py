"""The schema of the compatibility table."""

from __future__ import annotations

from typing import Literal

import msgspec

from quantdeck_core.engines.version import version_key
from quantdeck_core.errors import InputError, NotFoundError
from quantdeck_core.formats.checkpoint import Format
from quantdeck_core.hardware.device import Kind, Vendor

Answer = Literal["ok", "plugin", "slow", "refused"]


class RulesError(InputError):
    """The compatibility table is not what the code expects."""

    code = "rules-broken"
    title = "Broken compatibility table"


class Engine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An engine.

    Attributes:
        version: the one that is judged; in the table, the one it describes. Empty where no rule depends on it.
        groups: names under which rules speak of several engines at once.
    """

    name: str
    title: str
    version: str = ""
    groups: tuple[str, ...] = ()


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the table. Conditions that are left out hold for everything.

    Attributes:
        engines: names of engines or groups.
        schemes: `Checkpoint.scheme`.
        grouped: whether there is more than one scale a column (group size other than -1).
        actorder: `Checkpoint.actorder`.
        strategies: `Checkpoint.strategy`.
        side_tensors: a checkpoint that stores any of these beside its weights.
        declared_in: `Checkpoint.declared_in`.
        split: whether there is more than one file with weights.
        tensor_types: a GGUF that has a tensor of any of these types.
        since: this version of the engine, and newer ones.
        before: versions older than this one.
        sm: devices of exactly these compute capabilities.
        below_sm: NVIDIA devices with a lower compute capability, and machines without a GPU.
        cpu: True for machines without a GPU only.
        kinds: `Device.kind`. As all conditions on devices, it never holds where no device was named.
        vendors: `Device.vendor`.
        devices: names of devices.
        consequence: what it means in use.
        hint: the next step.
    """

    engines: tuple[str, ...]
    formats: tuple[Format, ...] = ()
    schemes: tuple[str, ...] = ()
    bits: tuple[int, ...] = ()
    desc_act: bool | None = None
    grouped: bool | None = None
    sym: bool | None = None
    actorder: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    side_tensors: tuple[str, ...] = ()
    declared_in: tuple[str, ...] = ()
    split: bool | None = None
    tensor_types: tuple[str, ...] = ()
    since: str = ""
    before: str = ""
    sm: tuple[int, ...] = ()
    below_sm: int | None = None
    cpu: bool | None = None
    kinds: tuple[Kind, ...] = ()
    vendors: tuple[Vendor, ...] = ()
    devices: tuple[str, ...] = ()
    verdict: Answer
    reason: str
    consequence: str = ""
    hint: str = ""


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table.

    Attributes:
        platform: whether an engine runs on a device at all, and with what. Of those that fit, the first one counts.
        rule: whether it serves a format there. Again the first one counts; of the two answers, the stricter one.
    """

    engine: tuple[Engine, ...]
    platform: tuple[Rule, ...] = ()
    rule: tuple[Rule, ...]

    def engine_named(self, text: str) -> Engine:
        """An engine, in any case: `vllm`, or a version of it: `vllm@0.23.0`.

        Raises:
            NotFoundError: the table has none of this name.
            InputError: what follows the @ is no version, or the table knows none of this engine.
        """
        name, at, version = text.partition("@")
        for engine in self.engine:
            if engine.name != name.lower():
                continue
            if not at:
                return engine
            if not engine.version:
                raise InputError(
                    f"The table does not tell versions of {engine.title} apart.", f"Ask for {engine.name}, without @."
                )
            version_key(version)
            return msgspec.structs.replace(engine, version=version)
        raise NotFoundError(
            f"No engine {name!r} in the table.", f"There are: {', '.join(e.name for e in self.engine)}."
        )


def parse_rules(toml: str) -> Rules:
    """The table from TOML.

    Raises:
        RulesError: it is not TOML, a field is unknown, or a rule names no engine of the table, or versions of one that
            has none.
    """
    try:
        rules = msgspec.toml.decode(toml, type=Rules)
    except msgspec.MsgspecError as error:
        raise RulesError(
            f"The compatibility table cannot be used: {error}.", "Compare it with docs/formats.md."
        ) from None
    known: dict[str, list[Engine]] = {}
    for engine in rules.engine:
        for name in (engine.name, *engine.groups):
            known.setdefault(name, []).append(engine)
    for rule in (*rules.platform, *rules.rule):
        if unknown := set(rule.engines) - known.keys():
            raise RulesError(
                f"A rule names {sorted(unknown)[0]!r}, which is no engine.", f"There are: {sorted(known)}."
            )
        for version in filter(None, (rule.since, rule.before)):
            _check_version(version, [engine for name in rule.engines for engine in known[name]])
    return rules


def _check_version(version: str, engines: list[Engine]) -> None:
    try:
        for text in (version, *(engine.version for engine in engines)):
            version_key(text)
    except InputError as error:
        raise RulesError(f"A rule depends on a version: {error.detail}", error.hint) from None
