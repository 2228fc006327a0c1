"""Profiles to choose from, read from where they are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import quantdeck_profiles
from quantdeck_console.model.deploy_profiles import ProfileItem
from quantdeck_console.profile_source import load_profile
from quantdeck_core.errors import QuantdeckError


def read_item(source: str) -> ProfileItem:
    """A profile by name or path, or why it cannot be read."""
    try:
        return ProfileItem(source=source, profile=load_profile(source))
    except QuantdeckError as error:
        return ProfileItem(source=source, error=error.info())


def read_items(named: Iterable[str] = ()) -> tuple[ProfileItem, ...]:
    """Those that were named, then those that come with quantdeck. It takes a tenth of a second."""
    built_in = quantdeck_profiles.names()
    return tuple(read_item(source) for source in (*(one for one in named if one not in built_in), *built_in))


def source_of(typed: str) -> str:
    """What was typed as a name or a path; `~` is the home folder."""
    typed = typed.strip()
    return str(Path(typed).expanduser()) if typed.startswith("~") else typed
