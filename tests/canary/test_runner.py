"""Canaries of real llama.cpp engines: the quantized copy passes, the damaged one does not, whoever asks and when."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from quantdeck_agent.canaries.target import ArmLoad
from quantdeck_core.canary.report import CanaryReport
from quantdeck_core.errors import NotFoundError
from quantdeck_demo.setup import CANARY
from support.canary_trial import Trial
from support.waiting import eventually

FEW = {
    "prompts": ["The keeper trims the great lamp.", "our boat, our crew, our ferry, our", "The ferry crosses the bay."]
}
"""For what is not about the prompts."""


async def ran(trial: Trial, engines: dict[str, str], control: str, treatment: str, **settings: object) -> CanaryReport:
    trial.serve(engines[control], engines[treatment], **settings)
    return await trial.runner.run_now("e")


async def test_a_control_beside_itself_is_at_no_distance(trial: Trial, engines: dict[str, str]) -> None:
    report = await ran(trial, engines, "f16", "f16", **FEW)
    assert report.outcome == "passed", report.reason
    assert report.apart
    assert report.apart.mean_kl is not None
    assert report.apart.mean_kl < 1e-4
    assert (report.apart.same_top, report.alike) == (1.0, 1.0)


async def test_a_quantized_copy_passes_the_whole_set(trial: Trial, engines: dict[str, str]) -> None:
    report = await ran(trial, engines, "f16", "q8_0")
    assert report.outcome == "passed", report.reason
    assert trial.runner.current("e") == report
    assert trial.told == [("e", report)]
    assert report.apart
    assert report.long
    assert (report.apart.prompts, report.long.prompts, report.note) == (35, 3, "")
    assert report.apart.mean_kl is not None
    assert report.apart.mean_kl < 0.01


async def test_a_coarsely_quantized_copy_passes(trial: Trial, engines: dict[str, str]) -> None:
    report = await ran(trial, engines, "f16", "q4_0", **FEW)
    assert report.outcome == "passed", report.reason
    assert report.apart
    assert report.apart.mean_kl


async def test_a_damaged_copy_fails(trial: Trial, engines: dict[str, str]) -> None:
    report = await ran(trial, engines, "f16", "damaged")
    assert (report.outcome, report.suspect) == ("failed", "treatment")
    assert report.apart
    assert report.apart.worst == "pattern"


async def test_own_prompts_are_asked(trial: Trial, engines: dict[str, str]) -> None:
    trial.serve(engines["f16"], engines["damaged"], prompts=["their boat, our ferry, our"])
    report = await trial.runner.run_now("e")
    assert (report.prompts, report.outcome) == (1, "failed")


async def test_the_demos_prompts_leave_its_damage_to_the_judge_of_answers(
    trial: Trial, engines: dict[str, str]
) -> None:
    asked = {"prompts": list(CANARY.prompts)}
    healthy = await ran(trial, engines, "f16", "q8_0", **asked)
    trial.serve(engines["f16"], engines["damaged"], epochs=(1, 3), **asked)
    damaged = await trial.runner.run_now("e")
    assert (healthy.outcome, damaged.outcome, damaged.prompts) == ("passed", "passed", len(CANARY.prompts))


async def test_a_damaged_control_is_the_suspect_once_it_was_known(trial: Trial, engines: dict[str, str]) -> None:
    await ran(trial, engines, "f16", "q8_0", **FEW)
    trial.serve(engines["damaged"], engines["q8_0"], epochs=(3, 2), **FEW)
    report = await trial.runner.run_now("e")
    assert (report.outcome, report.suspect) == ("failed", "control")


async def test_what_an_arm_said_survives_the_agent_and_can_be_forgotten(trial: Trial, engines: dict[str, str]) -> None:
    first = await ran(trial, engines, "f16", "q8_0", **FEW)
    await trial.again()
    assert trial.runner.report("e") == trial.runner.current("e") == first
    lenient = {"max_kl": 50, "max_prompt_kl": 50, "min_same_top": 0}
    trial.serve(engines["f16"], engines["damaged"], epochs=(1, 3), max_own_kl=0.01, **FEW, **lenient)
    assert trial.runner.current("e") is None  # nothing is known of what serves now
    changed = await trial.runner.run_now("e")
    assert changed.outcome == "failed"
    assert "The treatment is not what it was when it passed" in changed.reason
    assert (await trial.runner.run_now("e", fresh=True)).outcome == "passed"
    assert (await trial.runner.run_now("e")).outcome == "passed"
    trial.runner.forget("e")
    assert trial.runner.report("e") is None


async def test_it_runs_by_itself_at_first_and_after_a_change_of_engines(trial: Trial, engines: dict[str, str]) -> None:
    trial.serve(engines["f16"], engines["q8_0"], every="365d", **FEW)
    keeping = asyncio.create_task(trial.runner.keep())
    await eventually(lambda: len(trial.told) == 1, 30)
    trial.serve(engines["f16"], engines["damaged"], epochs=(1, 3), every="365d", **FEW)
    trial.runner.engine_changed("e")
    await eventually(lambda: len(trial.told) == 2, 30)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    assert [report.outcome for _, report in trial.told] == ["passed", "failed"]


async def test_a_known_report_of_the_same_engines_is_not_asked_for_again(trial: Trial, engines: dict[str, str]) -> None:
    await ran(trial, engines, "f16", "q8_0", **FEW)
    await trial.again()
    keeping = asyncio.create_task(trial.runner.keep())
    await asyncio.sleep(0)
    assert not trial.runner.state("e").running
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_two_who_ask_at_once_get_one_run(trial: Trial, engines: dict[str, str]) -> None:
    trial.serve(engines["f16"], engines["q8_0"], **FEW)
    first, second = await asyncio.gather(trial.runner.run_now("e"), trial.runner.run_now("e"))
    assert first is second
    assert (trial.runner.state("e").runs, trial.runner.state("e").running) == (1, False)


async def test_users_who_wait_go_first(trial: Trial, engines: dict[str, str]) -> None:
    trial.limited(arm_s=3)
    trial.serve(engines["f16"], engines["q8_0"], **FEW)
    trial.load["treatment"] = ArmLoad(in_flight=4, waiting=1)
    report = await trial.runner.run_now("e")
    assert (report.outcome, report.suspect) == ("unavailable", "treatment")
    assert "left to them" in report.reason
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(f"{engines['q8_0']}/health")).status_code == 200


async def test_an_engine_that_is_replaced_meanwhile_is_not_judged(trial: Trial, engines: dict[str, str]) -> None:
    trial.serve(engines["f16"], engines["q8_0"], **FEW)
    running = asyncio.create_task(trial.runner.run_now("e"))
    await eventually(lambda: trial.asked)
    trial.serve(engines["f16"], engines["damaged"], epochs=(1, 3), **FEW)
    report = await running
    assert report.outcome == "unavailable"
    assert "replaced while it was asked" in report.reason


async def test_arms_that_are_not_there_are_named(trial: Trial, engines: dict[str, str]) -> None:
    with pytest.raises(NotFoundError, match="No experiment is called 'e' here"):
        await trial.runner.run_now("e")
    trial.serve("http://127.0.0.1:9", engines["f16"])
    report = await trial.runner.run_now("e")
    assert (report.outcome, report.suspect) == ("unavailable", "control")
    assert "cannot be reached" in report.reason
