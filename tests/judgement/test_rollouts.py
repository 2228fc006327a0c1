"""The judgement end to end, on real llama.cpp engines: who is promoted, who is rolled back, and when nothing moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from judgement.course import course
from quantdeck_core.errors import ExitCode

pytestmark = pytest.mark.timeout(240)
"""Whole rollouts, and canaries before them, on two cores that others use too."""


async def test_the_quantized_model_is_promoted_and_becomes_the_baseline(
    demo_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with course(demo_models, tmp_path, capsys, "demo-f16", "demo-q8") as it:
        await it.start()
        full = await it.when(lambda e: e.state.stage == "full_quant", 150)
        assert (full.state.weight_bp, full.last_rollback) == (9800, None)
        said = [entry.text for entry in full.timeline]
        assert any("without the 24 hours of A/B test, because: a test has no day" in text for text in said)
        assert any("canary passed" in text for text in said)
        assert (await it.run("canary", "e"))["here"]["report"]["outcome"] == "passed"

        await it.when(lambda e: e.progress and e.progress.phase == "done" and e.verdict.kind == "healthy")
        await it.run("experiment", "finish", "e", "--reason", "as good, and half as large")
        await it.when(lambda e: e.finished and e.control.engines[0].startswith("treatment"))
        await it.host.when(lambda status: not any(one.name == "control" for one in status.engines), 60)
        await it.more(20)
        assert it.errors == ()


async def test_a_broken_treatment_gets_no_user_where_the_canary_is_asked_first(
    demo_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with course(demo_models, tmp_path, capsys, "demo-f16", "demo-damaged") as it:
        await it.start()
        held = await it.when(lambda e: e.progress and any("canary failed" in one for one in e.progress.waits_for), 90)
        assert (held.state.weight_bp, held.treatment.answers) == (0, 0)
        assert it.errors == ()


async def test_a_treatment_that_is_too_slow_without_any_load_gets_no_user(
    demo_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with course(demo_models, tmp_path, capsys, "demo-f16", "demo-q8") as it:
        await it.start(canary=False, gate="e2e_p95_ms = 0.01\n")
        held = await it.when(lambda e: e.progress and any("too slow" in one for one in e.progress.waits_for), 90)
        assert held.progress
        assert any("without any load: p95 whole answer is" in one for one in held.progress.waits_for)
        assert (held.state.weight_bp, held.treatment.answers) == (0, 0)


async def test_a_broken_treatment_is_rolled_back_by_what_its_users_got(
    demo_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with course(demo_models, tmp_path, capsys, "demo-f16", "demo-damaged", keep_flagged=True) as it:
        report = await it.run("canary", "e", code=ExitCode.NO)
        assert report["here"]["report"]["suspect"] == "treatment"
        assert "find what treatment serves broken" in str(await it.run("weight", "e", "50", code=ExitCode.NO))
        # A person goes past the canary: what is left is the judge.
        await it.run("weight", "e", "50", "--reason", "in a hurry")
        back = await it.when(lambda e: e.state.latched, 60)
        assert (back.state.by, back.state.weight_bp) == ("quantdeck", 0)
        done = await it.when(lambda e: e.last_rollback is not None)
        assert done.last_rollback
        assert done.last_rollback.from_bp == 5000
        assert it.errors == ()

        report = (await it.run("incident", "e", "--replay", "--export", str(tmp_path / "incident.json")))[0]
        assert "it is in the treatment, not in the traffic" in " ".join(report["findings"])
        assert report["replay"]["conclusion"] == "quantization"
        assert all(not one.get("prompt") for one in report["replay"]["prompts"])
        assert '"prompt": "{' in (tmp_path / "incident.json").read_text()
        assert (tmp_path / "incident.json").stat().st_mode & 0o777 == 0o600


async def test_nobody_is_promoted_past_a_broken_control(
    demo_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with course(demo_models, tmp_path, capsys, "demo-damaged", "demo-q8") as it:
        # Fixed prompts alone cannot say which of two that differ is the bad one.
        await it.run("canary", "e", code=ExitCode.NO)
        await it.run("weight", "e", "5", "--reason", "the treatment first, to compare with")
        await it.start(canary=False)
        held = await it.when(lambda e: e.verdict.kind == "control-unhealthy" and e.progress, 120)
        assert held.state.weight_bp in (500, 1000)
        await it.more(300)
        now = await it.host.state()
        assert now.state.weight_bp in (500, 1000)
        assert not now.state.latched
        assert now.progress
        assert now.progress.phase in ("paused", "waiting")
        await it.host.when(lambda status: any("control" in alarm.text for alarm in status.alarms), 30)


async def test_where_both_are_broken_nothing_moves_and_a_person_is_paged(
    demo_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with course(demo_models, tmp_path, capsys, "demo-damaged", "demo-damaged") as it:
        await it.run("weight", "e", "50", "--reason", "to see both")
        both = await it.when(lambda e: e.verdict.kind in ("control-unhealthy", "both-unhealthy"), 90)
        assert both.state.weight_bp == 5000
        await it.more(100)
        now = await it.host.state()
        assert (now.state.weight_bp, now.state.latched) == (5000, False)
        status = await it.host.client.status()
        assert any(alarm.level == "fail" for alarm in status.alarms)
