"""The two changes that a body may undergo on its way to an engine; every other one passes byte for byte."""

from __future__ import annotations

import msgspec

from quantdeck_gateway.request import RequestRefusedError

_LENGTHS = ("max_tokens", "max_completion_tokens", "n_predict")
"""How clients bound an answer; llama.cpp lets `n_predict` win over the others, and a negative one is no bound."""
_MIN = "min_tokens"
"""vLLM refuses a request whose least length is above its longest."""

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_number = msgspec.json.Decoder(int | float)
_encode = msgspec.json.Encoder().encode


def capped(body: bytes, tokens: int) -> bytes:
    """The body with no answer longer than so many tokens; the same object where it asks for no more anyway.

    Raises:
        RequestRefusedError: the body is no JSON object.
    """
    fields, cap = _fields(body), msgspec.Raw(b"%d" % tokens)
    lengths = {name: _value(fields[name]) for name in _LENGTHS if name in fields}
    # What is neither null nor a number stays: it is for the engine to say that it is wrong.
    lowered = [name for name, value in lengths.items() if isinstance(value, float) and not 0 <= value <= tokens]
    if all(value is None for value in lengths.values()):
        lowered.append("max_tokens")
    if not lowered:
        return body
    for name in lowered:
        fields[name] = cap
    least = _value(fields[_MIN]) if _MIN in fields else None
    if isinstance(least, float) and least > tokens:
        fields[_MIN] = cap
    return _encode(fields)


def renamed(body: bytes, model: str) -> bytes:
    """The body with another model's name.

    Raises:
        RequestRefusedError: the body is no JSON object.
    """
    fields = _fields(body)
    fields["model"] = msgspec.Raw(_encode(model))
    return _encode(fields)


def _fields(body: bytes) -> dict[str, msgspec.Raw]:
    """Values as they came, by name; of names that come twice the last counts, as engines see it."""
    try:
        return _object.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise RequestRefusedError(400, "invalid_json", "The body is not a JSON object.") from None


def _value(raw: msgspec.Raw) -> float | str | None:
    """A number, None for null, or the text of anything else."""
    text = bytes(raw)
    if text == b"null":
        return None
    try:
        return float(_number.decode(text))
    except (msgspec.MsgspecError, OverflowError):
        return text.decode(errors="replace")
