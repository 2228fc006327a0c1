"""Which arm a user is on, and why: what the gateway does, in words."""

from __future__ import annotations

import msgspec

from quantdeck_core.hashing import bp_to_percent, bucket
from quantdeck_core.protocol.gateway import ExperimentRoute, VariantName


class WhoAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Where an experiment sends a user.

    Attributes:
        bucket: 0..9999, compared with `weight_bp`.
        why: one sentence.
    """

    variant: VariantName
    bucket: int
    weight_bp: int
    why: str


def who(route: ExperimentRoute, user: str, *, lapsed: bool = False) -> WhoAnswer:
    """The arm of a user.

    Args:
        lapsed: the gateway's lease is not renewed, and it keeps everyone on a healthy control.
    """
    number = bucket(route.name, user)
    treated = number < route.weight_bp
    variant: VariantName = "treatment" if treated else "control"
    if route.latched or lapsed:
        variant = "control"
        why = (
            "rolled back: everyone is on the control" if route.latched else "nobody judges: everyone is on the control"
        )
    elif user in route.pinned:
        variant = route.pinned[user]
        why = f"pinned to the {variant} by the experiment, whatever the weight says"
    else:
        side = "below" if treated else "not below"
        why = f"bucket {number} of 10000 is {side} the weight of {bp_to_percent(route.weight_bp)} % ({route.weight_bp})"
    return WhoAnswer(variant=variant, bucket=number, weight_bp=route.weight_bp, why=why)
