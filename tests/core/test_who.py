"""Which arm a user is on: what is said is what the gateway does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.protocol.gateway import Arm, ExperimentRoute
from quantdeck_core.rollout.who import who
from quantdeck_gateway.assignment import assignment_of
from quantdeck_gateway.routing import place, variant_of

USERS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40)


@given(USERS, st.integers(0, 10_000), st.booleans(), st.sampled_from(["", "control", "treatment"]))
def test_it_is_where_the_gateway_sends_them(user: str, weight_bp: int, latched: bool, pin: str) -> None:
    route = ExperimentRoute(
        name="e",
        served_name="a",
        weight_bp=0 if latched else weight_bp,
        control=Arm(),
        treatment=Arm(),
        pinned={user: pin} if pin else {},  # type: ignore[dict-item]
        latched=latched,
    )
    placement, special = place("e", user), assignment_of(route, held=latched)
    if special:
        sent = special.variant(placement, route.weight_bp, user.encode(), b"", b"", "")
    else:
        sent = variant_of(placement, route.weight_bp)
    said = who(route, user)
    assert (said.variant, said.bucket) == (sent, placement.bucket)
    assert said.why


def test_the_reason_names_what_decides() -> None:
    route = ExperimentRoute(name="e", served_name="a", weight_bp=10_000, control=Arm(), treatment=Arm())
    assert "below the weight of 100 %" in who(route, "u").why
    assert who(route, "u", lapsed=True).variant == "control"
