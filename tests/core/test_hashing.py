import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.errors import InputError
from quantdeck_core.hashing import BUCKETS, bp_to_percent, bucket, is_treated, percent_to_bp

WEIGHTS = st.integers(0, BUCKETS)


def lesson_is_treated(experiment: str, user: str, weight_bp: int) -> bool:
    value = int(hashlib.sha256(f"{experiment}:{user}".encode()).hexdigest(), 16)
    return (value % 10000) < weight_bp


@given(st.text(), st.text(), WEIGHTS)
def test_the_split_is_the_lessons_bit_for_bit(experiment: str, user: str, weight_bp: int) -> None:
    assert is_treated(experiment, user, weight_bp) == lesson_is_treated(experiment, user, weight_bp)


@given(st.text())
def test_a_users_own_bucket_is_the_last_weight_without_the_treatment(user: str) -> None:
    edge = bucket("e", user)
    for weight_bp, treated in ((edge, False), (edge + 1, True)):
        assert is_treated("e", user, weight_bp) is treated
        assert lesson_is_treated("e", user, weight_bp) is treated


@given(st.text(), WEIGHTS, WEIGHTS)
def test_raising_a_weight_moves_only_new_users(user: str, one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert not is_treated("e", user, low) or is_treated("e", user, high)


def test_nobody_at_zero_and_everybody_at_all() -> None:
    users = [f"u{number}" for number in range(5000)]
    assert not any(is_treated("e", user, 0) for user in users)
    assert all(is_treated("e", user, BUCKETS) for user in users)


def test_the_share_of_users_is_the_weight() -> None:
    treated = sum(is_treated("int4_gptq_rollout_v1", f"user-{number}", 1000) for number in range(20_000))
    assert treated / 20_000 == pytest.approx(0.10, abs=0.01)


def test_a_float_would_misplace_the_user_that_basis_points_place() -> None:
    # 0.57 * 10000 is 5699.999999999999: the user in bucket 5699 would fall out of a 57 % treatment.
    user = next(name for name in (f"u{n}" for n in range(200_000)) if bucket("e", name) == 5699)
    assert is_treated("e", user, percent_to_bp("57"))
    assert not bucket("e", user) < int(0.57 * 10000)


@given(WEIGHTS)
def test_percent_and_basis_points_are_each_others_inverse(weight_bp: int) -> None:
    assert percent_to_bp(bp_to_percent(weight_bp)) == weight_bp


@pytest.mark.parametrize("text", ["", "x", "-1", "100.01", "0.001", "nan", "inf", "1e400", "1,5"])
def test_what_is_no_weight_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        percent_to_bp(text)
    assert "0 to 100" in caught.value.hint
