"""The end of an experiment, in words."""

from __future__ import annotations


def ended(*, discard: bool) -> str:
    """What holds after it."""
    return "the control stays the baseline" if discard else "the treatment is the baseline now"
