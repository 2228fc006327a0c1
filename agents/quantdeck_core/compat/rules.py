"""The schema of the compatibility table."""

from __future__ import annotations

from typing import Literal

import msgspec

from quantdeck_core.errors import InputError, NotFoundError
from quantdeck_core.formats.checkpoint import Format

Answer = Literal["ok", "plugin", "slow", "refused"]


class RulesError(InputError):
    """The compatibility table is not what the code expects."""

    code = "rules-broken"
    title = "Broken compatibility table"


class Engine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An engine. `groups` are the names under which rules speak of several at once."""

    name: str
    title: str
    groups: tuple[str, ...] = ()


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the table. Conditions that are left out hold for everything.

    Attributes:
        engines: names of engines or groups.
        schemes: `Checkpoint.scheme`.
        grouped: whether there is more than one scale a column (group size other than -1).
        actorder: `Checkpoint.actorder`.
        below_sm: devices with a lower compute capability. Never holds where no device was named.
        cpu: True for machines without a GPU only.
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
    below_sm: int | None = None
    cpu: bool | None = None
    verdict: Answer
    reason: str
    consequence: str = ""
    hint: str = ""


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table. Of the rules that fit, the first one counts."""

    engine: tuple[Engine, ...]
    rule: tuple[Rule, ...]

    def engine_named(self, name: str) -> Engine:
        """An engine, in any case.

        Raises:
            NotFoundError: the table has none of this name.
        """
        for engine in self.engine:
            if engine.name == name.lower():
                return engine
        raise NotFoundError(
            f"No engine {name!r} in the table.", f"There are: {', '.join(e.name for e in self.engine)}."
        )


def parse_rules(toml: str) -> Rules:
    """The table from TOML.

    Raises:
        RulesError: it is not TOML, a field is unknown, or a rule names no engine of the table.
    """
    try:
        rules = msgspec.toml.decode(toml, type=Rules)
    except msgspec.MsgspecError as error:
        raise RulesError(
            f"The compatibility table cannot be used: {error}.", "Compare it with docs/formats.md."
        ) from None
    known = {name for engine in rules.engine for name in (engine.name, *engine.groups)}
    for rule in rules.rule:
        if unknown := set(rule.engines) - known:
            raise RulesError(
                f"A rule names {sorted(unknown)[0]!r}, which is no engine.", f"There are: {sorted(known)}."
            )
    return rules
