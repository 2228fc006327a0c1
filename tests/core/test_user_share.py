from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.drift.user_share import SPAN, UserShare

OFFERED = st.lists(st.sampled_from(["", "a", "b", "c"]), max_size=2 * SPAN)


@given(OFFERED, st.integers(1, 6))
def test_no_user_has_more_than_the_limit_in_any_span(offered: list[str], limit: int) -> None:
    share = UserShare(limit)
    judged = [(user, share.admit(user)) for user in offered]
    for start in range(0, max(1, len(judged) - SPAN + 1), 50):
        span = [user for user, admitted in judged[start : start + SPAN] if admitted and user]
        assert all(span.count(user) <= limit for user in set(span))
    assert all(admitted for user, admitted in judged if not user)
    assert share.left_out == sum(not admitted for _, admitted in judged)


def test_who_had_enough_is_judged_again_later() -> None:
    share = UserShare(2)
    assert [share.admit("a") for _ in range(3)] == [True, True, False]
    for number in range(SPAN):
        assert share.admit(f"u{number}")
    assert share.admit("a")


def test_without_a_limit_everything_is_judged() -> None:
    share = UserShare(0)
    assert all(share.admit("a") for _ in range(SPAN))
