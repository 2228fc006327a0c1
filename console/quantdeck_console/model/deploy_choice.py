"""What somebody is about to deploy, and where: every key gives the next choice, and nothing else changes one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import msgspec

from quantdeck_console.model.deploy_profiles import ProfileItem
from quantdeck_core.errors import InputError
from quantdeck_core.fleet.words import has_words
from quantdeck_core.profile.names import NAME_OR_NONE
from quantdeck_core.protocol.requests import Deploy

Area = Literal["profiles", "hosts", "details"]
AREAS: tuple[Area, ...] = get_args(Area)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A profile, hosts, and how.

    Attributes:
        hosts: of the fleet, in its file's order.
        area: where the arrows move.
        profile: source of the chosen one; empty for none.
        marks: chosen hosts in the order in which they were marked: over several hosts the first is the head.
        profile_at, host_at: what the cursors are on.
        name: of the engine; empty for the profile's.
        swap, force: as in `Deploy`. Both are off again as soon as anything else is chosen: what was accepted was
            accepted for that.
        own_marks: somebody has marked or unmarked hosts; until then the mark follows what the pane is about.
    """

    hosts: tuple[str, ...]
    profiles: tuple[ProfileItem, ...] = ()
    area: Area = "profiles"
    profile: str = ""
    marks: tuple[str, ...] = ()
    profile_at: str = ""
    host_at: str = ""
    profile_filter: str = ""
    host_filter: str = ""
    name: str = ""
    swap: bool = False
    force: bool = False
    own_marks: bool = False

    @property
    def shown_profiles(self) -> tuple[ProfileItem, ...]:
        """Those that the filter leaves."""
        if not self.profile_filter:
            return self.profiles
        return tuple(item for item in self.profiles if item.matches(self.profile_filter))

    @property
    def shown_hosts(self) -> tuple[str, ...]:
        """Likewise."""
        if not self.host_filter:
            return self.hosts
        return tuple(host for host in self.hosts if has_words(host, self.host_filter))

    @property
    def chosen(self) -> ProfileItem | None:
        """What would be deployed."""
        return next((item for item in self.profiles if item.source == self.profile), None)

    @property
    def under(self) -> ProfileItem | None:
        """The profile under the cursor."""
        shown = self.shown_profiles
        return next((item for item in shown if item.source == self.profile_at), shown[0] if shown else None)

    @property
    def host(self) -> str:
        """The host under the cursor; empty where the filter leaves none."""
        shown = self.shown_hosts
        return self.host_at if self.host_at in shown else next(iter(shown), "")

    @property
    def engine(self) -> str:
        """The name that it would have."""
        item = self.chosen
        return self.name or (item.profile.name if item and item.profile else "")

    @property
    def filter(self) -> str:
        """Of the list that the arrows move in."""
        return {"profiles": self.profile_filter, "hosts": self.host_filter, "details": ""}[self.area]

    def wish(self) -> Deploy | None:
        """What each marked host is asked about; None while no profile is chosen."""
        item = self.chosen
        if item is None or item.profile is None:
            return None
        return Deploy(
            request_id="", profile=item.profile, name=self.name, replace=True, swap=self.swap, force=self.force
        )

    def asked(self) -> Deploy | None:
        """What each marked host is asked to check; None where none can be: it is over several hosts."""
        wish = self.wish()
        return None if wish is None or wish.profile.nodes is not None else msgspec.structs.replace(wish, force=False)

    def about(self, host: str) -> Choice:
        """The pane is about a host: it is marked, unless somebody has marked others."""
        if host not in self.hosts:
            return self
        here = replace(self, host_at=host, host_filter="" if host not in self.shown_hosts else self.host_filter)
        return here if self.own_marks or self.marks == (host,) else replace(here._anew(), marks=(host,))

    def having(self, items: Iterable[ProfileItem]) -> Choice:
        """More profiles, those that were named by hand first; one that was read again replaces what it was."""
        new = {item.source: item for item in items}
        kept = tuple(item for item in self.profiles if item.source not in new)
        chosen = self.profile if self.profile not in new or new[self.profile].profile else ""
        return replace(self, profiles=(*new.values(), *kept), profile=chosen)

    def given(self, item: ProfileItem) -> Choice:
        """A profile that somebody named: it is chosen where it could be read."""
        here = replace(self.having([item]), area="profiles", profile_filter="", profile_at=item.source)
        return replace(here._anew(), profile=item.source) if item.profile else here

    def moved(self, by: int) -> Choice:
        """The cursor of the list that the arrows move in; it stops at both ends."""
        if self.area == "profiles":
            sources = [item.source for item in self.shown_profiles]
            return replace(self, profile_at=_beside(sources, self.under.source if self.under else "", by))
        if self.area == "hosts":
            return replace(self, host_at=_beside(self.shown_hosts, self.host, by))
        return self

    def marked(self) -> Choice:
        """Choose the profile or mark the host under the cursor; again, and it is not."""
        if self.area == "profiles":
            item = self.under
            if item is None or item.profile is None:
                return self
            chosen = "" if item.source == self.profile else item.source
            return replace(self._anew(), profile=chosen, profile_at=item.source)
        if self.area == "hosts" and self.host:
            marks = tuple(one for one in self.marks if one != self.host)
            marks = marks if self.host in self.marks else (*marks, self.host)
            return replace(self._anew(), marks=marks, own_marks=True, host_at=self.host)
        return self

    def turned(self, by: int) -> Choice:
        """To the next list, round and round."""
        return replace(self, area=AREAS[(AREAS.index(self.area) + by) % len(AREAS)])

    def filtered(self, pattern: str) -> Choice:
        """Show only what has these words, in the list that the arrows move in."""
        if self.area == "hosts":
            return replace(self, host_filter=pattern)
        return replace(self, profile_filter=pattern, area="profiles")

    def named(self, name: str) -> Choice:
        """Give the engine another name than the profile's; an empty one is the profile's again.

        Raises:
            InputError: it is no name.
        """
        if not re.fullmatch(NAME_OR_NONE, name):
            raise InputError(f"{name!r} is no name for an engine.", "Lower case, digits, . _ - and at most 63 of them.")
        return replace(self._anew(), name=name)

    def swapping(self) -> Choice:
        """Accept that the old one ends first where both have no room, or do not."""
        return replace(self, swap=not self.swap)

    def forcing(self) -> Choice:
        """Start it although something speaks against it, or do not."""
        return replace(self, force=not self.force)

    def begun(self, hosts: Iterable[str]) -> Choice:
        """These have accepted it: what is still marked is still to be done."""
        done = set(hosts)
        left = tuple(host for host in self.marks if host not in done)
        return replace(self, marks=left, own_marks=bool(left))

    def reopened(self, hosts: Sequence[str]) -> Choice:
        """The pane was closed and is opened again: the profiles stay, nothing is marked or accepted any more."""
        return Choice(hosts=tuple(hosts), profiles=self.profiles, profile=self.profile, profile_at=self.profile_at)

    def at(self, host: str) -> Choice:
        """The cursor on a host, whatever the filter says."""
        shown = host in self.shown_hosts
        return replace(self, area="hosts", host_at=host, host_filter=self.host_filter if shown else "")

    def _anew(self) -> Choice:
        return replace(self, swap=False, force=False)


def _beside(keys: Sequence[str], now: str, by: int) -> str:
    if not keys:
        return ""
    at = keys.index(now) if now in keys else 0
    return keys[max(0, min(len(keys) - 1, at + by))]
