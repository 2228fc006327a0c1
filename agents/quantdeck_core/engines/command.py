"""A command line with its environment: what is shown before anything starts is what is started."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

import msgspec


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """How a process is started. No shell sees it.

    Attributes:
        env: environment variables that are set.
        env_from: variable of the engine -> variable of the starting process whose value it gets; so a key is neither on
            the command line nor in what is shown.
        drops: names of variables that are not passed on, upper case, `*` at the end for all that begin so.
    """

    argv: tuple[str, ...]
    env: dict[str, str] = {}
    env_from: dict[str, str] = {}
    drops: tuple[str, ...] = ()

    def environment(self, of: Mapping[str, str]) -> dict[str, str]:
        """The environment of the process.

        Args:
            of: the environment of the process that starts it.

        Raises:
            KeyError: a variable of `env_from` is not set there.
        """
        kept = {name: value for name, value in of.items() if not self._drops(name)}
        return {**kept, **self.env, **{name: of[source] for name, source in self.env_from.items()}}

    def _drops(self, name: str) -> bool:
        return any(fnmatchcase(name.upper(), pattern) for pattern in self.drops)
