"""Profiles that come with quantdeck, as TOML files beside this one."""

from __future__ import annotations

from importlib.resources import files


def names() -> tuple[str, ...]:
    """All built-in profiles."""
    return tuple(sorted(f.name.removesuffix(".toml") for f in files(__name__).iterdir() if f.name.endswith(".toml")))


def text(name: str) -> str:
    """The TOML of one; `name` must be one of `names()`."""
    return (files(__name__) / f"{name}.toml").read_text("utf-8")
