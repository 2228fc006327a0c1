"""From the bytes of an answer to what is said about it."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_gateway.analyser.answers import to_answer, to_signal, to_signals
from quantdeck_gateway.analyser.content import read_events, read_json
from quantdeck_gateway.analyser.ring import SignalRing
from quantdeck_gateway.analyser.tokens import token_counts
from quantdeck_gateway.events import events
from quantdeck_gateway.handover import BatchReader, FinishedAnswer, RatedAnswer, ReceiptReader, TokenCount, encode_batch
from quantdeck_gateway.tee import Tee


def _finished(body: bytes = b"", *, stream: bool = False, status: int = 200, ended: bool = True, cut: bool = False):
    return FinishedAnswer("exp", "control", 1, "r", "u", 1.0, status, ended, stream, cut, None, 2.0, body)


def _sse(*texts: str, done: bool = True) -> bytes:
    parts = [b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": t}}]}).encode() for t in texts]
    return b"\n\n".join([*parts, b"data: [DONE]" if done else b""]) + b"\n\n"


def test_chat_in_one_piece() -> None:
    body = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3}}
    content = read_json(json.dumps(body).encode())
    assert (content.text, content.finish_reason, content.prompt_tokens, content.done) == ("hi", "stop", 3, True)


def test_completion_in_one_piece() -> None:
    assert read_json(b'{"choices":[{"text":"hello","finish_reason":"length"}]}').text == "hello"


def test_only_the_first_choice_is_read() -> None:
    assert read_json(b'{"choices":[{"index":1,"text":"b"},{"index":0,"text":"a"}]}').text == "a"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"choices":3}', b"[" * 100_000])
def test_bodies_that_are_no_answer(body: bytes) -> None:
    assert (read_json(body).text, read_json(body).done) == ("", False)


def test_tool_calls_have_no_text() -> None:
    assert read_json(b'{"choices":[{"message":{"content":null,"tool_calls":[{}]}}]}').text == ""


@given(st.lists(st.text(max_size=20), max_size=8))
def test_stream_is_its_pieces_joined(texts: list[str]) -> None:
    content = read_events(_sse(*texts))
    assert content.text == "".join(texts)
    assert content.done


def _event(text: str, created: int = 1, **choice: object) -> bytes:
    one = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None, **choice}
    return b"data: " + json.dumps({"id": "x", "created": created, "choices": [one]}, ensure_ascii=False).encode()


def _plainly(body: bytes) -> tuple[str, int]:
    """Text and events of a stream, read without haste."""
    parts = [json.loads(part[6:]) for part in body.split(b"\n\n") if part.startswith(b"data: {")]
    choices = [choice for part in parts for choice in part["choices"] if choice["index"] == 0]
    return "".join(choice["delta"].get("content") or "" for choice in choices), len(choices)


@given(
    st.lists(
        st.one_of(
            st.builds(_event, st.text(max_size=12), st.integers(1, 3)),
            st.builds(_event, st.sampled_from(['"', "\\", '","role":"x', "a\nb", '"}}]}', '{"content":"b"}', ""])),
            st.builds(lambda text: _event(text, index=1), st.text(max_size=5)),
            st.builds(lambda text: _event(text, finish_reason="stop"), st.text(max_size=5)),
            st.builds(lambda text: _event(text, logprobs={"content": text}), st.text(max_size=5)),
            st.just(b'data: {"choices": [{"index": 0, "delta": {"role": "assistant", "content": null}}]}'),
            st.just(b'data: {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}'),
        ),
        max_size=30,
    )
)
def test_events_that_are_like_the_one_before_are_read_alike(parts: list[bytes]) -> None:
    body = b"\n\n".join([*parts, b"data: [DONE]"]) + b"\n\n"
    content = read_events(body)
    assert (content.text, content.events) == _plainly(body)
    assert content.done


def test_events_that_are_no_json_are_left_out_of_a_run() -> None:
    good = [_event("good "), _event("and "), _event("fine ")]
    bad = _event("X").replace(b"X", b"\\q")
    content = read_events(b"\n\n".join([*good, bad, *good, b"data: [DONE]"]))
    assert (content.text, content.events) == ("good and fine good and fine ", 6)


def test_calls_of_tools_are_no_empty_answers() -> None:
    call = b'{"choices":[{"message":{"content":null,"tool_calls":[{}]}}]}'
    none = b'{"choices":[{"message":{"content":null,"tool_calls":[]}}]}'
    streamed = b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0}]}}]}\n\ndata: [DONE]\n\n'
    empty = [
        to_signals(to_answer(one), 1).empty
        for one in (_finished(call), _finished(none), _finished(streamed, stream=True), _finished(call, status=500))
    ]
    assert empty == [False, True, False, False]


def test_what_the_gateway_ended_is_complete_and_a_loop() -> None:
    looped = msgspec.structs.replace(_finished(_sse("a", done=False), stream=True, cut=True), looped=True)
    signals = to_signals(to_answer(looped), 1)
    assert (signals.complete, signals.repetition, signals.loop, signals.cut) == (True, True, "suffix", True)
    assert signals.finish_reason == "repetition"


def test_stream_without_done() -> None:
    assert not read_events(_sse("a", done=False)).done


def test_usage_of_the_last_event() -> None:
    body = _sse("a", done=False) + b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}\n\n'
    assert (read_events(body).prompt_tokens, read_events(body).completion_tokens) == (5, 2)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data:a\r\n\r\ndata:b\r\n\r\n", [b"a", b"b"]),
        (b": comment\n\nevent: x\nid: 1\ndata: a\n\n", [b"a"]),
        (b"data: {\ndata: }\n\n", [b"{\n}"]),
        (b"data: cut", [b"cut"]),
        (b"", []),
    ],
)
def test_events(raw: bytes, expected: list[bytes]) -> None:
    assert events(raw) == expected


def test_unicode_line_separators_are_text() -> None:
    assert read_events(_sse("a\u2028b\x85c")).text == "a\u2028b\x85c"


@pytest.mark.parametrize(
    ("finished", "complete"),
    [
        (_finished(_sse("a"), stream=True), True),
        (_finished(_sse("a", done=False), stream=True), False),
        (_finished(_sse("a", done=False), stream=True, cut=True), True),
        (_finished(_sse("a"), stream=True, ended=False), False),
        (_finished(b'{"choices":[]}'), True),
        (_finished(b'{"choices":[]}', status=500), False),
        (_finished(b"{"), False),
    ],
)
def test_complete(finished: FinishedAnswer, complete: bool) -> None:
    assert to_answer(finished).complete is complete


def test_signals_hold_no_text() -> None:
    text = "zebra " * 40
    signals = to_signals(to_answer(_finished(_sse(text), stream=True)), seq=9)
    assert (signals.seq, signals.repetition, signals.words) == (9, True, 40)
    assert "zebra" not in repr(signals)


def test_ring() -> None:
    ring = SignalRing(size=3)
    assert (ring.first_seq, ring.after(0)) == (1, [])
    for seq in range(1, 6):
        ring.add(to_signals(to_answer(_finished()), seq))
    assert ring.first_seq == 3
    assert [one.seq for one in ring.after(0)] == [3, 4, 5]
    assert [one.seq for one in ring.after(4)] == [5]
    assert ring.after(5) == ring.after(99) == []


@given(st.lists(st.lists(st.binary(max_size=30), max_size=4), max_size=5), st.integers(1, 40))
def test_batches_survive_any_cut(bodies: list[list[bytes]], step: int) -> None:
    batches = [[_finished(body) for body in batch] for batch in bodies]
    wire = b"".join(map(encode_batch, batches))
    reader = BatchReader()
    got = [batch for at in range(0, len(wire), step) for batch in reader.feed(wire[at : at + step])]
    assert got == batches


def test_tokens_are_counted_by_arm_but_not_those_of_shadows() -> None:
    def usage(prompt: int, completion: int) -> bytes:
        return json.dumps({"usage": {"prompt_tokens": prompt, "completion_tokens": completion}}).encode()

    control = _finished(usage(7, 3))
    handed = [control, control, msgspec.structs.replace(control, variant="treatment", body=usage(1, 0))]
    handed += [
        _finished(b"{}"),
        msgspec.structs.replace(control, shadow=True),
        RatedAnswer("e", "control", 1, "a", 1, 2),
    ]
    counts = token_counts([to_signal(one, seq) for seq, one in enumerate(handed)])
    assert [*ReceiptReader().feed(encode_batch(counts))] == [counts]
    assert counts == [TokenCount("exp", "control", 14, 6), TokenCount("exp", "treatment", 1, 0)]


def test_ratings_push_no_answer_out_of_the_ring() -> None:
    ring = SignalRing(size=3)
    ring.add(to_signal(_finished(), 1))
    for seq in range(2, 9):
        ring.add(to_signal(RatedAnswer("exp", "control", 1, "a", 1, 2.0), seq))
    ring.add(to_signal(_finished(), 9))
    assert (ring.first_seq, ring.last_seq) == (1, 9)
    assert [one.seq for one in ring.after(0)] == [1, 6, 7, 8, 9]
    assert [one.seq for one in ring.after(6)] == [7, 8, 9]


class FakeLoop:
    """Only what the tee asks of a loop."""

    def call_later(self, delay, callback):
        self.callback = callback
        return callback


class FakeOutlet:
    """An analyser that is behind or not."""

    def __init__(self) -> None:
        self.free, self.sent = True, []

    def ready(self) -> bool:
        return self.free

    def write(self, data: bytes) -> None:
        self.sent.append(data)


def test_tee_drops_and_counts_while_the_analyser_is_behind() -> None:
    loop, outlet = FakeLoop(), FakeOutlet()
    tee = Tee(loop, outlet, limit=2000)
    outlet.free = False
    for _ in range(5):
        tee.offer(_finished(b"x" * 500))
        loop.callback()
    assert (tee.dropped, outlet.sent) == (3, [])
    outlet.free = True
    loop.callback()
    tee.offer(_finished())
    loop.callback()
    reader = BatchReader()
    assert [len(batch) for data in outlet.sent for batch in reader.feed(data)] == [2, 1]
    tee.read()
    tee.lost()
    assert tee.dropped == 4
