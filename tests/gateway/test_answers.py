"""From the bytes of an answer to what is said about it."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_gateway.analyser.answers import events, read_events, read_json, to_answer, to_signal, to_signals
from quantdeck_gateway.analyser.ring import SignalRing
from quantdeck_gateway.analyser.tokens import token_counts
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
