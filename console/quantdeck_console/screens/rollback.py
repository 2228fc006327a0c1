"""The rollback dialog: says what it will do, does it on `y` only, and stays honest until every gateway has."""

from __future__ import annotations

from textual import events

from quantdeck_console.actions.registry import action_for_key
from quantdeck_console.actions.rollback import RollbackRun
from quantdeck_console.actions.target import PENDING_AFTER_S, Target
from quantdeck_console.model.text import EMPTY, Line, Span, Tone, left, line, span, wrapped
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.dialog import WIDTH, Dialog
from quantdeck_console.widgets.lines import Lines
from quantdeck_core.fleet.cells import age, duration, plural, split
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.experiment import ExperimentStatus

_ROOM_ASKING, _ROOM_UNDER_WAY = 8, 11
"""Lines for hosts: so the whole dialog fits 24 rows, with two lines each for what may be said around them."""
_TONES: dict[str, Tone] = {"sent": "strong", "applied": "ok", "pending": "warn", "unreachable": "warn"}


class RollbackDialog(Dialog):
    """One for each run: opened again, it shows how far that is."""

    NAME = "rollback"
    # `confirm` is no binding: it has to look at when its key was pressed.
    BINDINGS = bindings_of("rollback", but="confirm")

    def __init__(self, run: RollbackRun, experiment: ExperimentStatus) -> None:
        super().__init__()
        self.run_state = run
        self._control = experiment.control.profile
        self._opened_at = 0.0

    def title_text(self) -> str:
        """Which experiment."""
        return f"roll back {self.run_state.experiment}"

    def concerns(self) -> HostView | None:
        """The first of its hosts that would refuse."""
        hosts = self.deck.model.fleet.hosts
        return next((hosts[target.host] for target in self.run_state.targets if target.host in hosts), None)

    def opened(self) -> None:
        """Get ready while somebody reads."""
        self._opened_at = self.deck.monotonic()
        super().opened()
        if not self.run_state.started:
            self.run_worker(self.run_state.prepare(), group="prepare")

    def fill(self) -> None:
        """Show what would happen, or what did so far."""
        self.query_one("#text", Lines).show(self._asking() if not self.run_state.started else self._under_way())

    def on_key(self, event: events.Key) -> None:
        """`y`, pressed after the dialog was seen; Enter only closes what is finished."""
        action = action_for_key(self.NAME, event.key)
        if action and action.id == "confirm":
            event.stop()
            if self.accepts(event.time) and not self.refused("confirm") and not self.run_state.started:
                self.deck.start_rollback(self.run_state)
                self.draw()
        elif event.key == "enter":
            event.stop()
            if self.run_state.finished:
                self.dismiss(None)

    def _asking(self) -> list[Line]:
        run = self.run_state
        ready = self.armed_at is not None
        return [
            EMPTY,
            *wrapped(f"Everyone goes back to the control, {self._control}, on {_gateways(len(run.gateways))}:", WIDTH),
            EMPTY,
            *_fitted([[self._target(target)] for target in run.gateways], _ROOM_ASKING),
            *self._unheard(),
            EMPTY,
            line(" It is effective within a second. What is under way runs to its end."),
            line(" Then it is latched: the weight stays 0 until somebody clears it."),
            EMPTY,
            line(
                Span(" y", "key" if ready else "dim"), Span(" roll back", "" if ready else "dim"),
                Span("   n Esc", "key"), " cancel",
            ),
        ]  # fmt: skip

    def _under_way(self) -> list[Line]:
        run, now = self.run_state, self.deck.model.clock()
        done = sum(target.progress == "applied" for target in run.gateways)
        if run.applied:
            summary = line(" ", span(f"done: everyone is on the control, on {_gateways(done)}", "ok"))
        else:
            summary = line(" ", span(f"not done: applied on {done} of {_gateways(len(run.gateways))}", "warn"))
        # What is not through is worth the room, whatever it is; the rest is counted.
        order = sorted(run.gateways, key=lambda target: target.progress == "applied")
        return [
            EMPTY,
            summary,
            EMPTY,
            *_fitted([self._progress(target, now) for target in order], _ROOM_UNDER_WAY),
            *self._unheard(),
            EMPTY,
            *self._next_step(),
        ]

    def _next_step(self) -> list[Line]:
        run = self.run_state
        if run.open:
            lines = [line(" The same request is sent again until each has applied it.")]
            if run.kept.problem:
                lines = wrapped(f"It ends with this console: {run.kept.problem}", WIDTH, "warn", most=2)
            return [*lines, line(Span(" Esc", "key"), " hides this; it goes on, and stays in the headline")]
        if not run.applied:
            return [line(" Nothing more is sent: what was refused needs you.", Span("   Esc", "key"), " close")]
        return [line(Span(" Enter Esc", "key"), " close")]

    def _unheard(self) -> list[Line]:
        """Hosts of which nobody knows; a rollback that leaves them out would not be everyone's."""
        names = [target.host for target in self.run_state.unheard]
        if not names:
            return []
        what = f"{plural(len(names), 'host')} not heard yet, asked too in case it runs there:"
        return wrapped(f"{what} {', '.join(names)}", WIDTH, "warn", indent="   ", most=2)

    def _target(self, target: Target) -> Line:
        split_text = "100/0, latched" if target.latched else f"{split(target.from_bp)} -> 100/0"
        flight = "" if target.latched else f"{plural(target.in_flight, 'treated answer')} under way"
        silent = target.silent and self.deck.monotonic() - self._opened_at > PENDING_AFTER_S
        return (
            Span("   "), *left(target.host, 14, "dim" if target.silent else "strong"), Span("  "),
            *left(split_text, 18), Span("  "),
            *left("its agent does not answer now" if silent else flight, WIDTH - 14 - 18 - 8, "warn" if silent else ""),
        )  # fmt: skip

    def _progress(self, target: Target, now: float) -> list[Line]:
        word = target.word(now)
        took = f"in {duration(target.effective_ms)}" if target.effective_ms is not None else ""
        waited = f"for {age(now - target.since)}" if word in ("pending", "unreachable") else ""
        first = (
            Span("   "), *left(target.host, 14, "strong"), Span("  "),
            *left(f"{split(target.from_bp)} -> 100/0", 18), Span("  "),
            *left(word, 11, _TONES.get(word, "warn")), span(f"  {took or waited}", "dim"),
        )  # fmt: skip
        if not target.detail or target.progress == "applied":
            return [first]
        return [first, *wrapped(target.detail, WIDTH, "dim", indent="   ", most=2)]


def _fitted(blocks: list[list[Line]], room: int) -> list[Line]:
    """As many hosts as there is room for, each whole, and how many are left out."""
    lines: list[Line] = []
    for index, block in enumerate(blocks):
        last = index == len(blocks) - 1
        if len(lines) + len(block) + (not last) > room:
            return [*lines, line(span(f"   and {plural(len(blocks) - index, 'more gateway')}", "dim"))]
        lines += block
    return lines


def _gateways(amount: int) -> str:
    return plural(amount, "gateway")
