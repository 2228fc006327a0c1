"""How many finished answers a second the analyser handles on one core, and whether a very long one takes linear time.

    PYTHONPATH=tests python tests/benchmarks/analyser_speed.py

Answers of 200 words, the whole way: from the bytes of a batch that the proxy handed over to the lines that agents read;
as one JSON body each, and as streams with an event a word; and the signals of their texts alone. Times are of this
process (CPU), the best of several rounds, so that whoever else is busy here counts little.

Prints each figure beside its limit; exit 1 where one is missed.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))  # the texts lie beside the tests

from quantdeck_core.quality import text_signals
from quantdeck_gateway.analyser.answers import to_signal
from quantdeck_gateway.handover import BatchReader, FinishedAnswer, encode_batch
from quantdeck_gateway.tee import BATCH_BYTES
from support.texts import ENGLISH

WORDS, ANSWERS = 200, 500
LIMIT, GOAL = 8_000, 20_000
LONG = 100_000
LINEAR_LIMIT = 2.0
"""Ten times the words may take twenty times the time: what does not fit into a cache is slower to count."""


def text_of(words: int, chance: random.Random) -> str:
    """Sentences that are no loop: a fresh word in four."""
    known = ENGLISH.split()
    letters = "etaoinshrdlucmfwyp"
    return " ".join(
        "".join(chance.choices(letters, k=chance.randint(3, 9))) if chance.random() < 0.25 else chance.choice(known)
        for _ in range(words)
    )


def answer(text: str, stream: bool) -> FinishedAnswer:
    """As vLLM gives it and the proxy hands it over."""
    usage = {"prompt_tokens": 41, "total_tokens": 341, "completion_tokens": 300}
    if not stream:
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        body = json.dumps({"id": "chatcmpl-8799dc7154f08c9e", "choices": [choice], "usage": usage}).encode()
        return _finished(body, None)
    events = []
    for piece in text.replace(" ", "\0 ").split("\0"):
        choice = {"index": 0, "delta": {"content": piece}, "logprobs": None, "finish_reason": None}
        event = {"id": "chatcmpl-8799dc7154f08c9e", "object": "chat.completion.chunk", "created": 1790000000}
        events.append(json.dumps(event | {"model": "assistant", "choices": [choice]}, separators=(",", ":")))
    return _finished("".join(f"data: {event}\n\n" for event in [*events, "[DONE]"]).encode(), 900.0)


def _finished(body: bytes, streamed_ms: float | None) -> FinishedAnswer:
    return FinishedAnswer(
        "int4_awq_rollout_v1",
        "treatment",
        3,
        "chat.1",
        "0f3a9d2c1b7e4455",
        1790000000.123,
        200,
        True,
        streamed_ms is not None,
        False,
        None if streamed_ms is None else 41.2,
        941.2,
        body,
        prompt_bytes=700,
        streamed_ms=streamed_ms,
    )


def whole_way(batches: list[bytes]) -> Callable[[], None]:
    """What the analyser does with what it reads."""
    encoder, reader = msgspec.json.Encoder(), BatchReader()

    def run() -> None:
        for data in batches:
            for batch in reader.feed(data):
                encoder.encode_lines([to_signal(handed, seq) for seq, handed in enumerate(batch, 1)])

    return run


def best_s(run: Callable[[], object], rounds: int) -> float:
    """CPU seconds of the fastest round."""
    times = []
    for _ in range(rounds):
        began = time.process_time()
        run()
        times.append(time.process_time() - began)
    return min(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20, help="of which the fastest counts (default: %(default)s)")
    rounds = parser.parse_args().rounds
    chance = random.Random(6)
    texts = [text_of(WORDS, chance) for _ in range(ANSWERS)]
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # as the analyser has it
    failed = False
    for name, stream in (("JSON bodies", False), ("streams", True)):
        finished = [answer(text, stream) for text in texts]
        size = max(1, BATCH_BYTES // len(finished[0].body))
        batches = [encode_batch(finished[at : at + size]) for at in range(0, ANSWERS, size)]
        rate = ANSWERS / best_s(whole_way(batches), rounds)
        failed |= rate < LIMIT
        print(f"{name:<12} {rate:8,.0f} answers/s   limit {LIMIT:,} (goal {GOAL:,})   ratio {rate / LIMIT:.2f}")
    rate = ANSWERS / best_s(lambda: [text_signals(text) for text in texts], rounds)
    failed |= rate < LIMIT
    print(f"{'signals only':<12} {rate:8,.0f} answers/s   limit {LIMIT:,} (goal {GOAL:,})   ratio {rate / LIMIT:.2f}")
    for kind, make in (("prose", text_of), ("a loop", lambda words, _: "round and round it goes " * (words // 5))):
        long, short = (make(count, chance) for count in (LONG, LONG // 10))
        long_s, short_s = (best_s(lambda one=one: text_signals(one), rounds) for one in (long, short))  # type: ignore[misc]
        ratio = long_s / short_s / 10
        failed |= ratio > LINEAR_LIMIT
        print(f"{kind:<12} {long_s * 1e3:8.1f} ms for {LONG:,} words   linear x {ratio:.2f}   limit {LINEAR_LIMIT:g}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
