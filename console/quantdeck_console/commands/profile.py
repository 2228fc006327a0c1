"""`quantdeck profile list | show NAME | validate FILE`."""

from __future__ import annotations

import argparse

import quantdeck_profiles
from quantdeck_console.commands.common import emit
from quantdeck_console.profile_source import load_profile, profile_text


def main(argv: list[str]) -> int:
    """List, show or validate profiles."""
    parser = argparse.ArgumentParser(prog="quantdeck profile", description="Profiles: how a checkpoint is served.")
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", help="profiles that come with quantdeck")
    show = actions.add_parser("show", help="print one as TOML")
    validate = actions.add_parser("validate", help="check one; exit 0 when it can be used")
    for one in (show, validate):
        one.add_argument("profile", help="name of a built-in profile, or a .toml file")
    for one in (listing, show, validate):
        one.add_argument("--json", action="store_true", help="machine-readable output with stable keys")
    options = parser.parse_args(argv)

    if options.action == "list":
        profiles = [load_profile(name) for name in quantdeck_profiles.names()]
        width = max(len(profile.name) for profile in profiles)
        emit(options.json, profiles, (f"{p.name:<{width}}  {p.engine}  {p.description}" for p in profiles))
        return 0
    text, source = profile_text(options.profile)
    profile = load_profile(options.profile)
    lines = text.splitlines() if options.action == "show" else [f"{source}: {profile.name} can be used."]
    emit(options.json, profile, lines)
    return 0
