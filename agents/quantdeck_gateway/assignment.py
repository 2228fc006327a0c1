"""Who goes where when more than the user's hash decides: testers, pinned users, and requests without a user."""

from __future__ import annotations

from typing import NamedTuple

from quantdeck_core.hashing import bucket
from quantdeck_core.protocol.gateway import ExperimentRoute, Unkeyed, VariantName
from quantdeck_gateway.routing import Placement, variant_of

_VARIANTS: dict[bytes, VariantName] = {b"control": "control", b"treatment": "treatment"}


class Assignment(NamedTuple):
    """What an experiment says beside its weight.

    Attributes:
        pinned: users, as bytes of the header.
        tester_header: whether a request may choose.
    """

    experiment: str
    unkeyed: Unkeyed
    pinned: dict[bytes, VariantName]
    tester_header: bool

    def variant(
        self, placement: Placement | None, weight_bp: int, user: bytes, tester: bytes, request_id: bytes, api_key: str
    ) -> VariantName:
        """The variant of a request.

        Args:
            placement: of the user; None without one.
            tester: value of the tester header; what is no variant's name is passed over.
            api_key: name of the key that the request came with; empty without one.
        """
        if self.tester_header and tester in _VARIANTS:
            return _VARIANTS[tester]
        if placement is not None:
            return self.pinned.get(user) or variant_of(placement, weight_bp)
        if self.unkeyed == "request":
            hashed = request_id.decode("utf-8", "surrogateescape")
        elif self.unkeyed == "api_key" and api_key:
            hashed = api_key
        else:
            return "control"
        return "treatment" if bucket(self.experiment, hashed) < weight_bp else "control"


def assignment_of(route: ExperimentRoute, *, held: bool) -> Assignment | None:
    """What decides beside the weight; None where nothing does, so that nobody pays for it.

    Args:
        held: everyone is back on the control, latched or because nobody judges: pins count no more then. Testers may
            still look at the treatment, since somebody must before it has users again.
    """
    pinned = {} if held else {user.encode(): variant for user, variant in route.pinned.items()}
    if route.unkeyed == "control" and not pinned and not route.tester_header:
        return None
    return Assignment(route.name, route.unkeyed, pinned, route.tester_header)
