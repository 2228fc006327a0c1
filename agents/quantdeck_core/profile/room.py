"""How many requests engines work on at once."""

from __future__ import annotations

from collections.abc import Iterable

from quantdeck_core.profile.defaults import resolved
from quantdeck_core.profile.schema import Profile

HEADROOM = 8
"""One in so many waits in the engine: a sequence that ends is followed by another one at once."""


def room_for_requests(replicas: Iterable[Profile]) -> int | None:
    """Requests that an arm of these can have in flight; None where there are none or one does not say."""
    profiles = tuple(replicas)
    if not profiles or any(profile.engine == "external" for profile in profiles):
        return None
    slots = sum(resolved(profile, None).max_num_seqs for profile in profiles)
    return slots + max(len(profiles), slots // HEADROOM)
