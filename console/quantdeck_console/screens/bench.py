"""Pane 6: latencies of both arms."""

from __future__ import annotations

from quantdeck_console.model.asked import Asked
from quantdeck_console.model.bench_view import Wish, bench_lines, bench_sentence
from quantdeck_console.model.experiment_view import link_lines
from quantdeck_console.model.latency_plot import SIGNALS
from quantdeck_console.model.subject import Subject
from quantdeck_console.model.text import EMPTY, Line, line
from quantdeck_console.screens.base import WIDE, bindings_of
from quantdeck_console.screens.question import Question
from quantdeck_console.screens.subject_pane import SubjectPane
from quantdeck_core.protocol.canary import LatencyState
from quantdeck_core.protocol.distributions import Distributions, LatencySignal
from quantdeck_core.protocol.gateway import VariantName

LIVE_S = 2.0
MEASURED_S = 3.0


class BenchScreen(SubjectPane):
    """How long users of both arms wait, and how fast their engines answered when they were measured."""

    NAME = "bench"
    BINDINGS = bindings_of("bench")

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._signal: LatencySignal = "ttft"
        self._whole = False
        self._live: Question[Distributions] = Question(self, "live", LIVE_S)
        self._measured: Question[LatencyState] = Question(self, "measured", MEASURED_S)

    def opened(self) -> None:
        """Ask from now on."""
        super().opened()
        self.chosen()

    def chosen(self) -> None:
        """Ask about this experiment."""
        host, experiment = self.subject
        self._live.ask(host, lambda client: client.distributions(experiment), anew=True)
        self._measured.ask(host, lambda client: client.latency(experiment), anew=True)

    @property
    def live(self) -> Asked[Distributions]:
        """What the agent told last of users' waiting."""
        return self._live.asked

    def body(self, width: int, height: int) -> list[Line]:
        """What the agent told last."""
        target = self.target()
        if target is None:
            return [EMPTY, line(f" {self.subject.host} does not run {self.subject.experiment} any more; Esc goes back")]
        view, experiment = target
        now = self.deck.model.clock()
        wish = Wish(
            tuple(SIGNALS) if width >= WIDE else (self._signal,),
            whole=self._whole,
            names=(experiment.control.profile, experiment.treatment.profile),
        )
        stale = link_lines(view, now, width)
        return bench_lines(self.live, self._measured.asked, wish, stale, now, width, height, self.deck.glyphs)

    def sentence(self) -> str:
        """The 95th percentiles."""
        told = self.live.value
        return f"{self.place()}: {bench_sentence(told, self._signal)}" if told else ""

    def refused(self, action_id: str) -> str:
        """Nothing to choose where all is shown, and one measurement at a time."""
        if action_id == "signal" and self.size.width >= WIDE:
            return "all three are shown"
        state = self._measured.asked.value
        if action_id in ("measure", "measure_control") and state is not None and state.running:
            return "it is being measured"
        return super().refused(action_id)

    def action_signal(self) -> None:
        """The next latency, round and round."""
        names = list(SIGNALS)
        self._signal = names[(names.index(self._signal) + 1) % len(names)]
        self.draw()

    def action_since(self) -> None:
        """The last minutes, or all of it."""
        self._whole = not self._whole
        self.draw()

    def action_measure(self) -> None:
        """Ask whether the treatment should be measured."""
        self._ask_to_measure("treatment")

    def action_measure_control(self) -> None:
        """Ask whether the control should be measured."""
        self._ask_to_measure("control")

    def _ask_to_measure(self, variant: VariantName) -> None:
        from quantdeck_console.screens.form import FormDialog
        from quantdeck_console.screens.measure import measure_form

        if target := self.target():
            view, experiment = target
            self.app.push_screen(FormDialog(measure_form(self.deck, view.name, experiment, variant)))
