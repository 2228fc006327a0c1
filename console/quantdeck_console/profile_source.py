"""Where profiles come from: a file that was named, or those that come with quantdeck."""

from __future__ import annotations

import difflib
import os
from functools import cache
from pathlib import Path

import quantdeck_profiles
from quantdeck_core.engines.table import FlagTable, parse_flags
from quantdeck_core.errors import InputError, NotFoundError
from quantdeck_core.profile.check import parse_profile
from quantdeck_core.profile.schema import Profile
from quantdeck_profiles import data


class ProfileUnknownError(NotFoundError):
    """No profile of this name, and no such file."""

    code = "profile-unknown"
    title = "Unknown profile"


def profile_text(name: str) -> tuple[str, str]:
    """The TOML of a profile and what to call it in messages.

    Args:
        name: of a built-in profile, or the path of a file (then with a slash or the ending .toml).

    Raises:
        ProfileUnknownError: there is neither.
        InputError: the file cannot be read.
    """
    if "/" in name or name.endswith(".toml"):
        try:
            return Path(name).read_text("utf-8"), name
        except FileNotFoundError:
            raise ProfileUnknownError(f"There is no file {name}.", "Check the path.") from None
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"Cannot read {name}: {error}.", "Check the file.") from None
    known = quantdeck_profiles.names()
    if name not in known:
        close = difflib.get_close_matches(name, known, 1)
        guess = f"Did you mean {close[0]!r}? " if close else ""
        raise ProfileUnknownError(
            f"There is no profile {name!r}.",
            f"{guess}`quantdeck profile list` shows all; a file needs its .toml ending.",
        )
    return quantdeck_profiles.text(name), f"{name}.toml"


@cache
def flag_table() -> FlagTable:
    """What engines take on their command lines."""
    return parse_flags(data.text("engine-flags"))


def model_path(profile: Profile, models: Path | None = None) -> Path:
    """Where a profile's checkpoint lies on this machine, if it does.

    Args:
        models: folder below which profiles name their models; None for $QUANTDECK_MODELS, else the current one.
    """
    return (models or Path(os.environ.get("QUANTDECK_MODELS", "."))) / profile.model


def load_profile(name: str, version: str | None = None) -> Profile:
    """A profile by name or path, one that can be used.

    Args:
        version: of its engine; None for the newest that is known here.

    Raises:
        ProfileUnknownError, InputError: as `profile_text`.
        TomlError: with line and column.
        VersionUnknownError: the engine is too old.
    """
    text, source = profile_text(name)
    return parse_profile(text, source, flag_table(), version)
