"""The two changes that a body may undergo."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_gateway.request import RequestRefusedError
from quantdeck_gateway.rewrite import capped, renamed

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e6, 1e6) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def cap(body: dict[str, Any], tokens: int) -> Any:
    return json.loads(capped(json.dumps(body).encode(), tokens))


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({"max_tokens": 900}, {"max_tokens": 64}),
        ({"max_completion_tokens": 900}, {"max_completion_tokens": 64}),
        ({"max_tokens": 8, "max_completion_tokens": 900}, {"max_tokens": 8, "max_completion_tokens": 64}),
        ({}, {"max_tokens": 64}),
        ({"max_tokens": None}, {"max_tokens": 64}),
        ({"max_tokens": None, "max_completion_tokens": 8}, {"max_tokens": None, "max_completion_tokens": 8}),
        ({"n_predict": -1}, {"n_predict": 64}),
        ({"max_tokens": 9e300}, {"max_tokens": 64}),
        ({"max_tokens": 10**30}, {"max_tokens": 64}),
        ({"max_tokens": 900, "min_tokens": 100}, {"max_tokens": 64, "min_tokens": 64}),
        ({"max_tokens": 900, "min_tokens": 10}, {"max_tokens": 64, "min_tokens": 10}),
        ({"max_tokens": "many"}, {"max_tokens": "many"}),
        ({"max_tokens": [900]}, {"max_tokens": [900]}),
    ],
)
def test_an_answer_is_capped_however_its_length_was_asked_for(asked: dict[str, Any], sent: dict[str, Any]) -> None:
    assert cap({"prompt": "x", **asked}, 64) == {"prompt": "x", **sent}


def test_a_body_that_asks_for_no_more_is_not_touched() -> None:
    body = b'{ "max_tokens" : 64 , "prompt":"\\u00e9" }'
    assert capped(body, 64) is body


def test_all_else_stays_as_it_came() -> None:
    body = (
        b'{"max_tokens":900,"temperature":0.10, "stop" : [ "\\u00e9" ], "seed":123456789012345678901,"user":"\xc3\xa9"}'
    )
    out = b'{"max_tokens":64,"temperature":0.10,"stop":[ "\\u00e9" ],"seed":123456789012345678901,"user":"\xc3\xa9"}'
    assert capped(body, 64) == out
    assert renamed(b'{"seed":1.50, "model" : "a"}', "m\u00e9") == b'{"seed":1.50,"model":"m\xc3\xa9"}'


@given(fields=st.dictionaries(st.text(), json_values, max_size=5), model=st.text())
def test_only_the_model_is_renamed(fields: dict[str, Any], model: str) -> None:
    assert json.loads(renamed(json.dumps(fields).encode(), model)) == {**fields, "model": model}


@given(fields=st.dictionaries(st.text(max_size=4), json_values, max_size=5), tokens=st.integers(1, 4096))
def test_only_the_length_is_capped(fields: dict[str, Any], tokens: int) -> None:
    assert cap(fields, tokens) == {**fields, "max_tokens": tokens}


@pytest.mark.parametrize("body", [b"", b"[]", b"1", b"{", b'{"a":}', b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(RequestRefusedError):
        capped(body, 64)
    with pytest.raises(RequestRefusedError):
        renamed(body, "m")
