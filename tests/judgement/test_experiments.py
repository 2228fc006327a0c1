"""An experiment under a real agent: two llama.cpp engines, the real gateway, real requests."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import httpx
import msgspec
import pytest

from quantdeck_console.link.agent_client import AgentClient
from quantdeck_console.link.deployment import wait_until_ready
from quantdeck_console.profile_source import load_profile
from quantdeck_core.errors import RemoteError
from quantdeck_core.hashing import is_treated
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.host import HostStatus
from quantdeck_core.protocol.requests import ChangeWeight, ClearLatch, CreateExperiment, Deploy, Rollback, Stop
from quantdeck_demo.model import sample_prompts
from support.agents import AgentProcess, agent, engine_when, status_when
from support.waiting import eventually

USERS = [f"u{number}" for number in range(60)]
PROMPTS = sample_prompts(50, Random(3))


@dataclass
class Trial:
    """A host with an experiment `e` on it."""

    agent: AgentProcess
    client: AgentClient
    url: str
    requests: int = 0

    def _id(self) -> str:
        self.requests += 1
        return f"request-{self.requests}"

    async def deploy(self, profile: str, name: str, *, replace: bool = False) -> None:
        ask = Deploy(request_id=self._id(), profile=load_profile(profile), name=name, replace=replace)
        await wait_until_ready(self.client, name, (await self.client.deploy(ask)).operation)

    async def experiment(self) -> ExperimentStatus:
        return (await self.client.status()).experiments[0]

    async def weight(self, weight_bp: int, revision: int | None = None) -> float:
        if revision is None:
            revision = (await self.experiment()).state.revision
        ask = ChangeWeight(request_id=self._id(), by="test", weight_bp=weight_bp, revision=revision)
        applied = await self.client.change_weight("e", ask)
        assert applied.effective_ms is not None
        return applied.effective_ms

    async def arms(self, users: list[str]) -> dict[str, str]:
        """Which arm answers each user; every answer must be a good one."""
        async with httpx.AsyncClient(base_url=self.url, timeout=30, trust_env=False) as http:

            async def one(number: int, user: str) -> tuple[str, str]:
                body = {"model": "assistant", "prompt": PROMPTS[number % len(PROMPTS)], "max_tokens": 200}
                response = await http.post("/v1/completions", json=body, headers={"x-user-id": user})
                assert response.status_code == 200, response.text
                return user, response.headers["x-quantdeck-variant"]

            return dict(await asyncio.gather(*(one(number, user) for number, user in enumerate(users))))

    async def when(self, condition: object, seconds: float = 20.0) -> ExperimentStatus:
        def holds(status: HostStatus) -> bool:
            return bool(status.experiments and condition(status.experiments[0]))  # type: ignore[operator]

        return (await status_when(self.client, holds, seconds)).experiments[0]


@contextlib.asynccontextmanager
async def trial(models: Path) -> AsyncIterator[Trial]:
    async with agent(models, "--gateway", "127.0.0.1:0") as one:
        listen = msgspec.json.decode(one.ready_file.read_bytes())["gateway"]
        it = Trial(one, one.client(), f"http://{listen}")
        await it.deploy("demo-f16", "control")
        await it.deploy("demo-q8", "treatment")
        await it.client.create_experiment(
            CreateExperiment(request_id="c", name="e", control="control", treatment="treatment")
        )
        yield it
        await it.client.close()


def expected(weight_bp: int) -> dict[str, str]:
    return {user: "treatment" if is_treated("e", user, weight_bp) else "control" for user in USERS}


async def test_weights_move_users_and_rolling_back_latches(demo_models: Path) -> None:
    async with trial(demo_models) as it:
        assert await it.arms(USERS) == expected(0)
        await it.weight(3000)
        assert await it.arms(USERS) == expected(3000)
        await it.weight(5000)
        assert await it.arms(USERS) == expected(5000)

        applied = await it.client.roll_back("e", Rollback(request_id="rb", by="test", reason="odd answers"))
        assert applied.effective_ms is not None
        assert await it.arms(USERS) == expected(0)
        with pytest.raises(RemoteError, match="rolled back: odd answers"):
            await it.weight(1000)
        status = await it.experiment()
        assert (status.state.stage, status.state.by) == ("rollback", "test")
        assert status.last_rollback
        assert (status.last_rollback.from_bp, status.last_rollback.detection_to_zero_ms) == (5000, None)

        await it.client.clear_latch(
            "e", ClearLatch(request_id="cl", by="test", revision=status.state.revision, reason="mended")
        )
        assert await it.arms(USERS) == expected(500)
        kinds = [entry.kind for entry in (await it.experiment()).timeline]
        assert [kind for kind in kinds if kind != "verdict"] == ["create", "weight", "weight", "rollback", "clear"]


async def test_words_of_people_lose_their_control_characters_on_arrival(demo_models: Path) -> None:
    async with trial(demo_models) as it:
        ask = Rollback(request_id="rb", by="mallory\x1b]52;c;aGk=\x07", reason="odd\x1b[2J\nanswers")
        await it.client.roll_back("e", ask)
        status = await it.experiment()
        assert (status.state.by, status.state.reason) == ("mallory]52;c;aGk=", "odd[2J answers")
        assert not any("\x1b" in entry.text + entry.by for entry in status.timeline)


async def test_a_stale_change_is_refused_and_a_repeated_one_applied_once(demo_models: Path) -> None:
    async with trial(demo_models) as it:
        revision = (await it.experiment()).state.revision
        await it.weight(1000, revision)
        with pytest.raises(RemoteError) as caught:
            await it.weight(2000, revision)
        assert (caught.value.status, caught.value.info().code) == (409, "conflict")
        again = ChangeWeight(request_id="request-3", by="test", weight_bp=1000, revision=revision)
        await it.client.change_weight("e", again)  # the same request id as the first change
        assert (await it.experiment()).state.revision == revision + 1


async def test_a_damaged_checkpoint_is_rolled_back_by_itself(demo_models: Path) -> None:
    async with trial(demo_models) as it:
        await it.weight(5000)
        treated = [user for user in USERS if is_treated("e", user, 5000)]
        await it.deploy("demo-damaged", "treatment", replace=True)
        for _ in range(6):
            await it.arms(treated[:16])
            if (await it.experiment()).state.latched:
                break
        status = await it.when(lambda e: e.state.latched)
        assert status.state.by == "quantdeck"
        assert status.last_rollback
        assert status.last_rollback.detection_to_zero_ms is not None
        assert status.last_rollback.detection_to_zero_ms <= 1000
        assert 50 <= status.last_rollback.outputs <= 120
        assert set((await it.arms(USERS)).values()) == {"control"}


async def test_a_treatment_that_dies_is_rolled_back(demo_models: Path) -> None:
    async with trial(demo_models) as it:
        await it.weight(5000)
        engine = await engine_when(it.client, "treatment", "ready")
        assert engine.pid
        os.kill(engine.pid, signal.SIGKILL)
        status = await it.when(lambda e: e.state.latched)
        assert "treatment" in status.state.reason
        assert await it.arms(USERS) == expected(0)


async def test_a_treatment_that_died_while_nobody_watched_is_rolled_back(demo_models: Path) -> None:
    async with trial(demo_models) as it:
        await it.weight(5000)
        engine = await engine_when(it.client, "treatment", "ready")
        assert engine.pid
        it.agent.kill()
        os.kill(engine.pid, signal.SIGKILL)
        await it.agent.start()
        status = await it.when(lambda e: e.state.latched)
        assert "gone" in status.state.reason
        assert await it.arms(USERS) == expected(0)


async def test_after_a_repair_a_restarted_agent_does_not_roll_back_again(demo_models: Path) -> None:
    async with trial(demo_models) as it:
        await it.weight(5000)
        treated = [user for user in USERS if is_treated("e", user, 5000)][:16]
        await it.deploy("demo-damaged", "treatment", replace=True)
        for _ in range(8):
            await it.arms(treated)
            if (await it.experiment()).state.latched:
                break
        status = await it.when(lambda e: e.state.latched)
        await it.deploy("demo-q8", "treatment", replace=True)
        clear = ClearLatch(request_id="cl", by="test", revision=status.state.revision, reason="mended")
        await it.client.clear_latch("e", clear)
        it.agent.kill()
        await it.agent.start()
        # All that was ever answered has come again from the analyser, loops included.
        answers = status.control.answers + status.treatment.answers
        after = await it.when(lambda e: e.control.answers + e.treatment.answers >= answers)
        assert (after.state.stage, after.verdict.kind) == ("ab_test", "inconclusive")


async def test_nobody_is_sent_to_an_arm_that_is_not_ready(demo_models: Path) -> None:
    async with trial(demo_models) as it:
        await it.client.stop("treatment", Stop(request_id="s"))
        await status_when(it.client, lambda status: len(status.engines) == 1)
        with pytest.raises(RemoteError, match="not ready"):
            await it.weight(1000)
        assert (await it.experiment()).state.weight_bp == 0


async def test_weights_survive_the_agent_and_requests_do_not_notice(demo_models: Path) -> None:
    async with trial(demo_models) as it:
        await it.weight(5000)
        await it.arms(USERS)
        before = await it.when(lambda e: e.control.answers + e.treatment.answers >= 60)
        it.agent.kill()
        assert await it.arms(USERS) == expected(5000)  # nobody watches, everybody is answered
        await it.agent.start()
        after = await it.when(lambda e: e.control.answers + e.treatment.answers >= 120)
        assert after.state == before.state
        assert after.treatment.engines == before.treatment.engines
        assert await it.arms(USERS) == expected(5000)


async def test_a_gateway_that_is_killed_comes_back_with_the_same_split(demo_models: Path) -> None:
    async with trial(demo_models) as it:
        await it.weight(5000)
        gateway = (await status_when(it.client, lambda s: s.gateway and s.gateway.pid)).gateway
        assert gateway
        assert gateway.pid
        os.kill(gateway.pid, signal.SIGKILL)
        await status_when(it.client, lambda s: s.gateway and s.gateway.running and s.gateway.pid != gateway.pid)
        assert await it.arms(USERS) == expected(5000)


async def test_a_rollback_that_is_carried_here_undoes_no_clear(demo_models: Path) -> None:
    async with trial(demo_models) as it:
        await it.weight(5000)
        seen = (await it.experiment()).state.revision
        await it.weight(4000)
        ask = Rollback(request_id="rb", by="guard", reason="rolled back on a", revision=seen, began=time.time() - 90)
        with pytest.raises(RemoteError) as caught:
            await it.client.roll_back("e", ask)
        assert caught.value.status == 409
        now = (await it.experiment()).state
        assert not now.latched
        await it.client.roll_back("e", msgspec.structs.replace(ask, revision=now.revision))
        status = await it.experiment()
        assert (status.state.latched, status.state.began, status.state.cleared) == (True, ask.began, 0.0)
        before = time.time()
        clear = ClearLatch(request_id="clear", by="ada", revision=status.state.revision, reason="mended")
        await it.client.clear_latch("e", clear)
        status = await it.experiment()
        assert status.state.began == 0.0
        assert before <= status.state.cleared <= time.time()


async def test_a_rollback_is_pending_until_the_gateway_has_acknowledged_it(demo_models: Path) -> None:
    async with trial(demo_models) as it:
        await it.weight(5000)
        gateway = (await status_when(it.client, lambda s: s.gateway and s.gateway.pid)).gateway
        assert gateway
        assert gateway.pid
        ask = Rollback(request_id="rb", by="test", reason="odd answers")
        os.kill(gateway.pid, signal.SIGSTOP)
        try:
            first = await it.client.roll_back("e", ask)
            assert (first.pending, first.effective_ms) == (True, None)
            status = await it.experiment()
            assert (status.state.stage, status.effective, status.last_rollback) == ("rollback", False, None)
        finally:
            os.kill(gateway.pid, signal.SIGCONT)
        again = await it.client.roll_back("e", ask)
        assert not again.pending
        assert again.effective_ms is not None
        assert await it.arms(USERS) == expected(0)
        status = await it.experiment()
        assert status.effective
        assert status.last_rollback
        assert status.last_rollback.from_bp == 5000
        assert status.last_rollback.effective_ms >= 1000  # as long as it really took


async def test_an_experiment_needs_two_ready_engines(demo_models: Path) -> None:
    async with trial(demo_models) as it:
        for control, treatment, words in (("control", "nosuch", "nosuch"), ("control", "control", "different")):
            ask = CreateExperiment(request_id=f"c-{treatment}", name="f", control=control, treatment=treatment)
            with pytest.raises(RemoteError) as caught:
                await it.client.create_experiment(ask)
            assert words in caught.value.detail + caught.value.hint
        assert len((await it.client.status()).experiments) == 1


async def test_a_viewer_sees_everything_and_changes_nothing(demo_models: Path) -> None:
    async with trial(demo_models) as it:
        viewer = it.agent.client("viewer")
        assert (await viewer.version()).role == "viewer"
        assert (await viewer.status()).experiments
        with pytest.raises(RemoteError) as caught:
            await viewer.roll_back("e", Rollback(request_id="v", reason="no"))
        assert caught.value.info().code == "forbidden"
        assert not (await it.experiment()).state.latched
        await viewer.close()


async def test_bad_bodies_are_refused_in_words(demo_models: Path) -> None:
    async with trial(demo_models) as it:
        transport = httpx.AsyncHTTPTransport(uds=str(it.agent.socket()))
        async with httpx.AsyncClient(transport=transport, base_url="http://agent") as http:
            path = "/v1/experiments/e/weight"
            json_type = {"content-type": "application/json"}
            answers = [
                await http.post(path, content=b"{", headers=json_type),
                await http.post(path, content=b'{"request_id":"x","weight_bp":10001,"revision":1}', headers=json_type),
                await http.post(path, content=b"[" * 10_000, headers=json_type),
                await http.post(path, content=b"x" * (2 << 20), headers=json_type),
                await http.post(path, content=b"{}"),
                await http.post(
                    path, content=b'{"request_id":"x","weight_bp":1,"revision":1,"y":2}', headers=json_type
                ),
            ]
        assert [answer.status_code for answer in answers] == [400] * 6
        assert all(answer.json()["code"] == "bad-request" for answer in answers)
        await eventually(lambda: it.agent.process and it.agent.process.poll() is None)
