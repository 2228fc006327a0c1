"""Each cause of a rollout is a page of its own, from its beginning to its end."""

from __future__ import annotations

import msgspec

from quantdeck_core.alerts.rollout_causes import Told, alarms_of
from quantdeck_core.rollout.events import Alert, LatchCleared, RollbackAsked, Transition, TreatmentFailed
from quantdeck_core.rollout.machine import step
from quantdeck_core.rollout.state import RolloutState

HALF = RolloutState(stage="gradual", weight_bp=5000)


def test_a_rollback_begins_and_its_clearing_ends_it() -> None:
    back = step(HALF, TreatmentFailed(reason="it loops", control_ready=True), 1.0)
    (told,) = alarms_of(HALF, back)
    assert (told.level, told.key) == ("fail", "rollback")
    cleared = step(back.state, LatchCleared(revision=back.state.revision, by="ada", reason="mended"), 2.0)
    (over,) = alarms_of(back.state, cleared)
    assert (over.level, over.key, over.text) == ("ok", "rollback", cleared.text)


def test_a_rollback_that_waited_is_another_page_than_the_one_that_was_made() -> None:
    waits = step(HALF, TreatmentFailed(reason="it loops", control_ready=False), 1.0)
    assert [(one.level, one.key) for one in alarms_of(HALF, waits)] == [("fail", "pending")]
    back = step(waits.state, RollbackAsked(by="ada", reason="it is there"), 2.0)
    assert [(one.level, one.key) for one in alarms_of(waits.state, back)] == [("ok", "pending"), ("fail", "rollback")]


def test_a_cause_that_a_person_was_told_of_ends_when_it_is_gone() -> None:
    bad = msgspec.structs.replace(HALF, paged=("upstream",))
    begun = Transition(state=bad, kind="alarm", text="both are bad", alert=Alert(level="fail", text="both are bad"))
    assert alarms_of(HALF, begun) == (Told("fail", "both are bad", "upstream"),)
    assert alarms_of(bad, Transition(state=HALF)) == (Told("ok", "the control is not judged bad any more", "upstream"),)
    assert alarms_of(bad, Transition(state=bad)) == ()


def test_what_just_happened_has_no_key() -> None:
    moved = Transition(state=HALF, kind="rollout", text="50 %", alert=Alert(level="warn", text="50 %"))
    assert alarms_of(HALF, moved) == (Told("warn", "50 %", ""),)
