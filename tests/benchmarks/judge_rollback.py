"""How soon nobody is on the treatment any more: after an answer that breaks a limit, and after somebody asked.

    PYTHONPATH=tests python tests/benchmarks/judge_rollback.py [--rounds 10]

A real agent and gateway; the engines are played, since it is not they that are measured. Each round begins with a
healthy treatment at 50 %. Exits with 1 where a worst case is above its limit.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from quantdeck_core.protocol.requests import Rollback
from quantdeck_demo.model import make_models
from support.deck import Deck, deck
from support.played_engine import PlayedEngine

DETECTED_MS, ASKED_MS = 1_000.0, 100.0
WEIGHT_BP = 5_000
USERS_AT_ONCE = 8


def _body(text: str) -> str:
    return json.dumps({"choices": [{"index": 0, "text": text, "finish_reason": "stop"}]})


HEALTHY = _body("The tide tables for the harbour say that the water is highest a little after noon today.")
LOOP = _body("the same words again " * 60)


@contextlib.asynccontextmanager
async def users(host: Deck) -> AsyncIterator[None]:
    """Each asks one thing after the other, always somebody else."""

    async def one(number: int) -> None:
        async with httpx.AsyncClient(base_url=host.gateway, timeout=30, trust_env=False) as http:
            asked = 0
            while True:
                body = {"model": "assistant", "prompt": "tides", "max_tokens": 60}
                headers = {"x-user-id": f"user-{number}-{asked}"}
                with contextlib.suppress(httpx.HTTPError):
                    await http.post("/v1/completions", json=body, headers=headers)
                asked += 1
                await asyncio.sleep(0.01)

    tasks = [asyncio.create_task(one(number)) for number in range(USERS_AT_ONCE)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def healthy(host: Deck, treatment: PlayedEngine) -> None:
    """The treatment has half of the users, and nothing is wrong with it."""
    treatment.plays(answer=HEALTHY)
    if (await host.state()).state.latched:
        await host.clear()
    await host.weight(WEIGHT_BP)
    await host.when(lambda status: status.experiments[0].verdict.kind == "healthy", 60)


async def detected(host: Deck, treatment: PlayedEngine) -> float:
    """Milliseconds from the last byte of the answer that broke the limit to weight 0."""
    await healthy(host, treatment)
    treatment.plays(answer=LOOP)
    await host.when(lambda status: status.experiments[0].state.latched, 60)
    done = await host.when(lambda status: status.experiments[0].last_rollback and status.experiments[0].effective, 10)
    rollback = done.experiments[0].last_rollback
    if rollback is None or rollback.detection_to_zero_ms is None:
        raise SystemExit("rolled back, but not by an answer")
    return rollback.detection_to_zero_ms


async def asked(host: Deck, treatment: PlayedEngine) -> float:
    """Milliseconds from the request to weight 0, as the agent acknowledged it."""
    await healthy(host, treatment)
    ask = Rollback(request_id=host.next_id(), by="bench", reason="to see how long it takes")
    applied = await host.client.roll_back("e", ask)
    if applied.effective_ms is None:
        raise SystemExit(f"not effective: {applied.detail}")
    return applied.effective_ms


async def main() -> int:
    """Measure, print, and say whether the limits hold."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        engines = [PlayedEngine(Path(folder) / name) for name in ("control", "treatment")]
        for engine in engines:
            engine.plays(answer=HEALTHY)
        models = Path(folder) / "models"
        make_models(models, ("f16",))
        async with deck(models) as host:
            for engine, name in zip(engines, ("control", "treatment"), strict=True):
                await host.deploy(engine.profile(), name)
            await host.experiment("control", "treatment")
            async with users(host):
                for what, measure, limit in (
                    ("last byte to weight 0", detected, DETECTED_MS),
                    ("asked to weight 0", asked, ASKED_MS),
                ):
                    found = sorted([await measure(host, engines[1]) for _ in range(rounds)])
                    failed |= found[-1] > limit
                    print(
                        f"{what:<24} median {median(found):7.1f} ms, worst {found[-1]:7.1f} ms of {rounds}; "
                        f"limit {limit:.0f} ms, {found[-1] / limit:.2f} of it"
                    )
    return int(failed)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
