"""Fault 25: too few answers make no verdict, and no step."""

from __future__ import annotations

from pathlib import Path

from support.played_rollout import FIRST_BP, LONG_S, SECOND_BP, played_rollout, step

WANTED = 200


async def test_a_step_waits_for_its_answers_beyond_its_soak_and_says_how_many_are_missing(
    demo_models: Path, tmp_path: Path
) -> None:
    async with played_rollout(demo_models, tmp_path) as it:
        await it.start(step(FIRST_BP, 1.0, WANTED), step(SECOND_BP, LONG_S))
        await it.at(FIRST_BP)
        soaked = await it.progress_when(lambda now: now.soaked_s >= now.soak_s)
        assert (soaked.outputs, soaked.weight_bp) == (0, FIRST_BP)
        state = await it.host.state()
        assert (state.verdict.kind, state.verdict.needed > 0) == ("inconclusive", True)
        assert any("no verdict yet" in one and str(state.verdict.needed) in one for one in soaked.waits_for)
        assert f"0 of {WANTED} answers heard" in soaked.waits_for

        async with it.traffic(treated=1) as users:
            judged = await it.when(lambda now: now.verdict.kind != "inconclusive")
            assert (judged.verdict.kind, judged.state.weight_bp) == ("healthy", FIRST_BP)
            assert judged.treatment.answers < WANTED
            up = await it.at(SECOND_BP)
            assert up.treatment.answers >= WANTED
            assert users.failures == []
