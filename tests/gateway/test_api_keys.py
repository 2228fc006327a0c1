"""Which requests come with a key that holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.errors import InputError
from quantdeck_core.protocol.gateway import ApiKey
from quantdeck_core.protocol.keys import check_keys, digest_of
from quantdeck_gateway.api_keys import Keys

TOKENS = st.binary(min_size=1, max_size=60).filter(lambda token: token.strip() == token)


def api_key(name: str, token: bytes, **more: str) -> ApiKey:
    return ApiKey(name=name, sha256=digest_of(token), **more)


def keys_of(*keys: ApiKey, required: bool = False) -> Keys:
    keys_ = Keys(required=required)
    keys_.apply(keys)
    return keys_


@given(TOKENS, TOKENS, st.sampled_from([b"Bearer ", b"bearer ", b"BEARER   "]))
def test_only_the_key_itself_holds(token: bytes, other: bytes, scheme: bytes) -> None:
    keys = keys_of(api_key("app", token, priority="high"))
    for _ in range(2):  # found, then remembered
        found = keys.lookup(scheme + token)
        assert found is not None
        assert (found.name, found.priority) == ("app", "high")
        assert keys.lookup(b"", token) is found
        assert keys.lookup(b"Basic abc", token) is found
        assert (keys.lookup(scheme + other) is found) is (other == token)
        assert keys.lookup(digest_of(token).encode()) is None
        assert keys.lookup(b"Bearer " + digest_of(token).encode()) is None


@pytest.mark.parametrize("value", [b"", b"Bearer", b"Bearer ", b"secret", b"Basic secret", b"Bearersecret"])
def test_what_is_no_bearer_token(value: bytes) -> None:
    assert keys_of(api_key("app", b"secret")).lookup(value) is None


def test_a_key_that_was_taken_back_holds_no_longer() -> None:
    keys = keys_of(api_key("old", b"one"), api_key("new", b"two"))
    found = keys.lookup(b"Bearer one")
    assert found is not None
    found.requests += 7
    keys.apply([api_key("new", b"two")])
    assert keys.lookup(b"Bearer one") is None
    assert {key.name: key.requests for key in keys.all()} == {"old": 7, "new": 0}
    keys.apply([api_key("old", b"three")])
    again = keys.lookup(b"Bearer three")
    assert again is found


def test_keys_are_asked_for_where_there_are_some_or_must_be() -> None:
    assert not keys_of().asked
    assert keys_of(api_key("app", b"x")).asked
    assert keys_of(required=True).asked
    assert keys_of(required=True).lookup(b"Bearer x") is None


def test_memory_is_bounded_whatever_is_sent() -> None:
    keys = keys_of(api_key("app", b"secret"))
    for number in range(10_000):
        assert keys.lookup(b"Bearer" + b" " * (1 + number % 300) + b"secret" + b" " * (number // 300)) is not None
        assert keys.lookup(b"Bearer %d" % number) is None
    assert len(keys._remembered) <= 4096


@pytest.mark.parametrize(
    "keys",
    [
        (ApiKey(name="", sha256="0" * 64),),
        (ApiKey(name="a b", sha256="0" * 64),),
        (ApiKey(name="a", sha256="0" * 63),),
        (ApiKey(name="a", sha256="Z" * 64),),
        (ApiKey(name="a", sha256="0" * 64), ApiKey(name="a", sha256="1" * 64)),
        (ApiKey(name="a", sha256="0" * 64), ApiKey(name="b", sha256="0" * 64)),
    ],
)
def test_keys_that_cannot_be_used_are_refused(keys: tuple[ApiKey, ...]) -> None:
    with pytest.raises(InputError):
        check_keys(keys)
