"""Tables that a person can read and extend, as TOML files beside this one."""

from __future__ import annotations

from importlib.resources import files


def text(name: str) -> str:
    """The TOML of one table, e.g. ``compatibility``."""
    return (files(__name__) / f"{name}.toml").read_text("utf-8")
