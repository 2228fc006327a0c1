"""The schema of the table of flags: what each engine takes on its command line, from which version to which."""

from __future__ import annotations

from typing import Literal

import msgspec

from quantdeck_core.engines.version import version_key
from quantdeck_core.errors import ExitCode, InputError, QuantdeckError
from quantdeck_core.profile.names import EngineKind
from quantdeck_core.profile.toml_text import decode_toml

Value = Literal["none", "integer", "number", "word"]


class VersionUnknownError(QuantdeckError):
    """An engine older than what the table describes."""

    code = "version-unknown"
    title = "Engine too old"
    exit_code = ExitCode.NO
    http_status = 409


class Span(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something of an engine that is there in some versions.

    Attributes:
        since: first version that has it.
        until: first version that has it no more.
    """

    engines: tuple[EngineKind, ...]
    since: str | None = None
    until: str | None = None

    def holds(self, engine: EngineKind, version: str) -> bool:
        """Whether this version of this engine has it."""
        key = version_key(version)
        return (
            engine in self.engines
            and (self.since is None or key >= version_key(self.since))
            and (self.until is None or key < version_key(self.until))
        )


class Flag(Span, frozen=True, kw_only=True):
    """A flag that quantdeck gives.

    Attributes:
        field: the field of `[serve]`, or the other value (`model_path`, `context`, ...), that it carries; empty where
            it is always the same.
        flag: as it is written where the value is not a boolean, or is true; empty for none then.
        off: as it is written where the value is false; empty for none then.
        value: what follows a flag that is always the same.
        short: other spellings, which nobody may give in `extra_args` either.
        choices: values that the engine takes; empty for any.
    """

    field: str = ""
    flag: str = ""
    off: str = ""
    value: str = ""
    short: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


class Allowed(Span, frozen=True, kw_only=True):
    """A flag that a profile may give in `extra_args`.

    Attributes:
        value: what follows it. A word has no slash, so it names no file and no address.
    """

    flag: str
    value: Value = "none"
    choices: tuple[str, ...] = ()


class Denied(Span, frozen=True, kw_only=True):
    """Flags that a profile may not give, and why."""

    flags: tuple[str, ...]
    why: str


class Variable(Span, frozen=True, kw_only=True):
    """An environment variable that a profile may set in `env`."""

    name: str
    value: Value = "word"


class EngineTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One engine.

    Attributes:
        versions: those whose options the table was held against, oldest first.
        program: what is started; `{python}` is the interpreter that has the engine's package.
        drops: beginnings of names of environment variables that the engine reads and that it gets only from here.
        sets: environment variables that it always gets.
    """

    name: EngineKind
    versions: tuple[str, ...]
    program: tuple[str, ...]
    drops: tuple[str, ...] = ()
    sets: dict[str, str] = {}

    @property
    def newest(self) -> str:
        """The version that is assumed where none is named."""
        return self.versions[-1]


class FlagTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All engines that quantdeck starts."""

    engine: tuple[EngineTable, ...]
    flag: tuple[Flag, ...]
    allow: tuple[Allowed, ...] = ()
    deny: tuple[Denied, ...] = ()
    variable: tuple[Variable, ...] = ()

    def of(self, name: EngineKind) -> EngineTable:
        """The engine of this name.

        Raises:
            InputError: the table has none.
        """
        for engine in self.engine:
            if engine.name == name:
                return engine
        raise InputError(f"The table of flags does not know {name}.", "See docs/profiles.md for the engines.")

    def version(self, name: EngineKind, wanted: str | None) -> str:
        """The version to write for.

        Args:
            wanted: None for the newest one.

        Raises:
            VersionUnknownError: it is older than the oldest that was looked at.
            InputError: it is no version.
        """
        engine = self.of(name)
        if wanted is None:
            return engine.newest
        if version_key(wanted) < version_key(engine.versions[0]):
            raise VersionUnknownError(
                f"{name} {wanted} is older than {engine.versions[0]}, the oldest whose flags are known here.",
                "Upgrade the engine.",
            )
        return wanted


def parse_flags(toml: str, source: str = "engine-flags.toml") -> FlagTable:
    """The table from TOML.

    Raises:
        TomlError: with line and column.
    """
    return decode_toml(toml, FlagTable, source)
