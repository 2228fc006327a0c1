"""What every engine must go through: the same steps, each with its time."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil

from quantdeck_agent.process.identity import MARKER
from quantdeck_core.engines.interface import INTERFACES
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.experiment import ExperimentStatus
from support.deck import Deck
from support.processes import Identity, alive, identity, session, signal_all
from support.waiting import eventually

EJECTED_WITHIN_S = 30.0
_TOKENS = re.compile(r"^(?:vllm:generation_tokens_total|llamacpp:tokens_predicted_total)\S* (\S+)", re.MULTILINE)


def ejected(experiment: ExperimentStatus) -> bool:
    """Whether the gateway has acknowledged that nobody is sent to the treatment."""
    return experiment.state.weight_bp == 0 and experiment.effective


class Course:
    """One engine under the name `engine` on a host; figures are printed at the end."""

    def __init__(self, host: Deck, title: str) -> None:
        self.host, self.title = host, title
        self.took: dict[str, float] = {}

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Note how long a step took."""
        began = time.monotonic()
        yield
        self.took[step] = time.monotonic() - began

    def report(self) -> None:
        """Print the figures."""
        steps = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in self.took.items())
        print(f"\n{self.title}: {sum(self.took.values()):.0f} s: {steps}")

    def log(self, engine: EngineStatus) -> str:
        """What the engine has written."""
        logs = self.host.agent.folder / "state" / "logs"
        return (logs / f"engine-{engine.name}.{engine.generation}.log").read_text("utf-8", "replace")

    async def generated(self, engine: EngineStatus) -> float:
        """Tokens that it says it has generated; where it does not count, the completions in its log."""
        if INTERFACES[engine.engine].metrics is None:  # type: ignore[index]
            return self.log(engine).count("POST /v1/completions")
        async with httpx.AsyncClient(base_url=engine.url, trust_env=False) as http:
            page = (await http.get("/metrics")).text
        return sum(float(value) for value in _TOKENS.findall(page))

    async def check_ready(self, engine: EngineStatus, prompts: int) -> None:
        """It was told to be ready after its first token and its warm-up, and not before."""
        assert engine.state == "ready"
        assert engine.pid
        assert engine.ready_s is not None
        # One token and the warm-up's prompts, at least a token each.
        assert await self.generated(engine) >= 1 + prompts
        (operation,) = [one for one in (await self.host.client.operations()).operations if one.kind == "deploy"]
        ended = {step.name: step.ended for step in operation.steps}
        assert all(ended.values())
        order = [ended[name] or 0.0 for name in ("load", "health", "token", "warm-up", "route")]
        assert order == sorted(order)
        detail = await self.host.client.engine("engine")
        assert detail.starts[-1].argv

    async def check_probed(self, engine: EngineStatus) -> None:
        """It is asked for a token now and then, although nobody else asks."""
        before = await self.generated(engine)
        async with asyncio.timeout(15):
            while await self.generated(engine) <= before:
                await asyncio.sleep(0.5)

    async def check_hang(self, engine: EngineStatus, stopped: list[psutil.Process], step: str) -> None:
        """Stopped processes: noticed, its users are elsewhere, and it comes back by itself."""
        assert stopped
        before = identity(engine) if engine.pid else None
        began = time.monotonic()
        signal_all(stopped, signal.SIGSTOP)
        try:
            await self.host.until("hung", seconds=EJECTED_WITHIN_S)
            await self.host.when(lambda status: ejected(status.experiments[0]), EJECTED_WITHIN_S)
            self.took[f"{step}: ejected"] = time.monotonic() - began
            assert self.took[f"{step}: ejected"] <= EJECTED_WITHIN_S
            async with httpx.AsyncClient(base_url=self.host.gateway, trust_env=False, timeout=30) as http:
                body = {"model": "assistant", "prompt": "the", "max_tokens": 4}
                response = await http.post("/v1/completions", json=body)
            assert (response.status_code, response.headers["x-quantdeck-variant"]) == (200, "control")
        finally:
            signal_all(stopped, signal.SIGCONT)
        with self.timed(f"{step}: back"):
            back = await self.host.until("ready", seconds=30)
        assert (identity(back) if back.pid else None) == before
        await self.host.clear()

    async def check_adopted(self, engine: EngineStatus) -> None:
        """The agent is killed; the next one finds the same process, and starts none."""
        before, starts = identity(engine), len((await self.host.client.engine("engine")).starts)
        with self.timed("adopted"):
            self.host.agent.kill()
            await self.host.agent.start()
            assert identity(await self.host.until("ready")) == before
        assert len((await self.host.client.engine("engine")).starts) == starts

    async def check_killed(self, engine: EngineStatus, seconds: float) -> EngineStatus:
        """Its first process is killed: what is left of it ends before another is started, by itself."""
        assert engine.pid
        before: Identity = identity(engine)
        following = f"/engine.{engine.generation + 1}"
        left = [one for one in session(engine.pid) if one.pid != engine.pid]
        with self.timed("restarted"):
            psutil.Process(engine.pid).kill()
            await self.host.until("restarting", seconds=5)
            await eventually(
                lambda: any(one.environ()[MARKER].endswith(following) for one in self.host.agent.marked()),
                30,
                "another one is started",
            )
            assert not alive(left), "workers of the one that was killed are there when the next starts"
            ready = await self.host.until("ready", seconds=seconds, generation=engine.generation + 1)
        assert identity(ready) != before
        return ready

    async def check_stopped(self, engine: EngineStatus) -> None:
        """Nothing of it is left."""
        assert engine.pid
        processes = session(engine.pid)
        assert processes
        with self.timed("stopped"):
            await self.host.stop()
        assert not alive(processes)
        assert not session(engine.pid)
        await eventually(lambda: [one.pid for one in self.host.agent.marked() if one.pid == engine.pid] == [])
