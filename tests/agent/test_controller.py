"""What a controller remembers, and what it must not hold against a treatment that was mended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from quantdeck_agent.experiments.controller import KIND, Controller
from quantdeck_agent.experiments.record import ExperimentRecord
from quantdeck_agent.store import Store
from quantdeck_core.drift.thresholds import Thresholds
from quantdeck_core.protocol.gateway import VariantName
from quantdeck_core.protocol.signals import AnswerRating, AnswerSignals
from quantdeck_core.rollout.machine import LatchCleared, TreatmentFailed, WeightAsked
from quantdeck_core.rollout.state import RolloutState
from support.answers import answer

USERS = [f"{number:016x}" for number in range(60)]
LOOPS = [
    answer(seq=100 + number, t=100.0 + number, user=user, repetition=True, generation=2)
    for number, user in enumerate(USERS)
]
FINE = [
    answer(seq=number, t=100.0 + number, user=user, variant="control", replica="control.1")
    for number, user in enumerate(USERS)
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "agent.db")
    yield store
    store.close()


def fresh(store: Store) -> Controller:
    record = ExperimentRecord(
        name="e",
        served_name="assistant",
        control="control",
        treatment="treatment",
        thresholds=Thresholds(),
        state=RolloutState(),
    )
    return Controller(record, store)


def restarted(store: Store) -> Controller:
    return Controller(store.all(KIND, ExperimentRecord)["e"], store)


def hear(controller: Controller, answers: list[AnswerSignals]) -> str:
    for one in answers:
        controller.hear(one)
    return controller.verdict.kind


def rolled_back(store: Store) -> Controller:
    controller = fresh(store)
    controller.apply(WeightAsked(weight_bp=5000, revision=1, by="a"), 90.0)
    assert hear(controller, FINE + LOOPS) == "breach"
    controller.apply(TreatmentFailed(reason=controller.verdict.reason, control_ready=True), 170.0)
    return controller


def test_a_restarted_agent_sees_the_same_breach_in_what_the_analyser_sends_again(store: Store) -> None:
    rolled_back(store)
    again = restarted(store)
    assert again.record.state.latched
    again.start_generation(1, 2, 180.0)
    assert hear(again, FINE + LOOPS) == "breach"


def test_after_clearing_old_answers_are_not_held_against_the_treatment_also_after_a_restart(store: Store) -> None:
    controller = rolled_back(store)
    controller.apply(LatchCleared(revision=3, by="a", reason="mended"), 200.0)
    assert controller.verdict.kind == "inconclusive"
    again = restarted(store)
    again.start_generation(1, 2, 210.0)
    assert hear(again, FINE + LOOPS) == "inconclusive"
    # A clock that was set back in between makes them no older.
    new = [msgspec.structs.replace(one, seq=one.seq + 100, t=one.t - 3600.0) for one in LOOPS]
    assert hear(again, new) == "breach"


def test_another_analyser_begins_its_row_anew_and_nothing_that_it_says_is_old(store: Store) -> None:
    controller = rolled_back(store)
    controller.apply(LatchCleared(revision=3, by="a", reason="mended"), 200.0)
    for one in FINE + LOOPS:
        controller.hear(one, "another")
    assert controller.verdict.kind == "breach"


def test_an_answer_that_is_sent_again_to_a_restarted_agent_is_no_new_output(store: Store) -> None:
    controller = rolled_back(store)
    assert controller.outputs == len(LOOPS)
    again = restarted(store)
    hear(again, FINE + LOOPS)
    assert again.outputs == 0
    hear(again, [msgspec.structs.replace(LOOPS[-1], seq=LOOPS[-1].seq + 1)])
    assert again.outputs == 1


def test_answers_of_a_checkpoint_that_was_replaced_are_not_held_against_the_next_one(store: Store) -> None:
    rolled_back(store)
    again = restarted(store)
    again.start_generation(1, 3, 180.0)  # repaired while the agent was down or before it
    assert hear(again, FINE + LOOPS) == "inconclusive"
    assert again.treatment.answers == 60  # seen, counted, and not judged


def test_a_verdict_that_changes_leaves_a_line(store: Store) -> None:
    controller = rolled_back(store)
    lines = [(entry.kind, entry.by) for entry in store.timeline(controller.subject)]
    assert ("verdict", "quantdeck") in lines
    assert lines[-1] == ("rollback", "quantdeck")


def test_ratings_count_for_the_arm_that_answered_but_not_from_before_it_was_mended(store: Store) -> None:
    def rating(variant: VariantName, seq: int) -> AnswerRating:
        mark = f"{variant}-{seq}"
        return AnswerRating(seq=seq, experiment="e", variant=variant, generation=2, answer=mark, rating=-1, t=180.0)

    controller = rolled_back(store)
    controller.rate(rating("treatment", 200))
    controller.rate(rating("control", 201))
    assert [arm.window.stats().downs for arm in (controller.control, controller.treatment)] == [1, 1]
    controller.apply(LatchCleared(revision=3, by="a", reason="mended"), 200.0)
    controller.rate(rating("treatment", 200))
    assert [arm.window.stats().downs for arm in (controller.control, controller.treatment)] == [1, 0]
    controller.rate(rating("treatment", 202))
    assert controller.treatment.window.stats().downs == 1
