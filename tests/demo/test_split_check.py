from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.hashing import bucket, is_treated
from quantdeck_demo.split_check import SplitCheck, lesson_variant


@given(st.text(), st.integers(0, 10_000))
def test_the_checks_own_arithmetic_agrees_with_the_gateways(user: str, weight_bp: int) -> None:
    treated = lesson_variant("e", user, weight_bp / 10_000) == "treatment"
    assert treated == is_treated("e", user, weight_bp)


@given(st.text())
def test_it_agrees_at_the_edge_of_a_users_bucket(user: str) -> None:
    edge = bucket("e", user)
    assert lesson_variant("e", user, edge / 10_000) == "control"
    assert lesson_variant("e", user, (edge + 1) / 10_000) == "treatment"


def user_between(low: int, high: int) -> str:
    return next(u for u in map(str, range(10_000)) if is_treated("e", u, high) and not is_treated("e", u, low))


def test_a_user_on_the_wrong_arm_is_found() -> None:
    check = SplitCheck("e")
    check.changing_to(1000)
    check.settled(1000)
    treated = user_between(0, 1000)
    check.answered(treated, "control", check.now())
    assert check.mismatched == {treated}


def test_while_a_change_is_under_way_both_arms_are_right() -> None:
    check = SplitCheck("e")
    moving = user_between(1000, 5000)
    check.settled(1000)
    asked = check.now()
    check.changing_to(5000)
    check.answered(moving, "control", asked)
    check.answered(moving, "treatment", asked)
    check.settled(5000)
    check.answered(moving, "control", asked)  # asked before the change, answered after it
    assert not check.mismatched
    check.answered(moving, "control", check.now())
    assert check.mismatched == {moving}
