"""A pane: what all panes do, and the changes that can be asked for on each of them."""

from __future__ import annotations

from textual.app import ComposeResult

from quantdeck_console.model.fleet_view import header_line, standing_tags
from quantdeck_console.model.playing_view import playing_text
from quantdeck_console.model.subject import Subject
from quantdeck_console.model.text import Line, fit, line, span
from quantdeck_console.screens.base import DeckScreen, TooSmall
from quantdeck_console.widgets.lines import Lines
from quantdeck_core.fleet.rows import FleetRow
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.text import clean

WIND_S = 60.0


class Pane(DeckScreen):
    """Header on top, keys at the bottom, the pane's own widgets in between."""

    DEFAULT_CSS = """
    Pane #header, Pane #footer { height: 1; width: 100%; }
    Pane #footer { dock: bottom; }
    """

    def compose(self) -> ComposeResult:
        """Header, content, footer."""
        yield TooSmall()
        yield Lines(id="header")
        yield from self.compose_content()
        yield Lines(id="footer")

    def compose_content(self) -> ComposeResult:
        """The pane's own widgets."""
        yield from ()

    @property
    def subject(self) -> Subject:
        """What the pane is about, for the next one that is opened."""
        return Subject()

    def choose(self, subject: Subject) -> None:
        """Be about something else."""

    def concerns(self) -> HostView | None:
        """The host that is shown."""
        return self.deck.model.fleet.hosts.get(self.subject.host)

    def target(self) -> tuple[HostView, ExperimentStatus] | None:
        """The experiment that a change here would act on."""
        view = self.concerns()
        experiment = view.experiment(self.subject.experiment) if view else None
        return (view, experiment) if view and experiment else None

    def mode(self) -> str:
        """What the header says of this console: that it plays a recording, or may change nothing here."""
        if self.deck.play:
            return playing_text(self.deck.play.playing)
        return "read-only" if self.refused("roll_back") else ""

    def header(self, rows: list[FleetRow], *, place: str = "", tag: str = "") -> Line:
        """The first line: counts of these hosts, what holds for the whole fleet, the mode, the time."""
        deck = self.deck
        tags = [*standing_tags(deck.model.standing), *filter(None, (tag, self.mode()))]
        return header_line(
            deck.title, rows, deck.model.clock(), self.size.width,
            place=place, tags=tags, seconds=deck.play is not None,
        )  # fmt: skip

    def frame(self, place: str) -> None:
        """Draw header and footer of a pane that is about one host; where else something is wrong stands there too."""
        others = [row for row in self.deck.model.rows() if row.name != self.subject.host]
        self.query_one("#header", Lines).show([self.header(others, place=place)])
        self.query_one("#footer", Lines).show([self.keys_line(self.size.width)])

    def waiting(self, width: int) -> list[Line]:
        """A change of several hosts that is not through yet; nothing without one."""
        told = self.deck.runs.banner
        return [line(" ", span(fit(told, width - 2), "warn"))] if told else []

    def to_roll_back(self) -> tuple[HostView, ExperimentStatus] | None:
        """The experiment that `R` is about."""
        return self.target()

    def sentence(self) -> str:
        """What `y` copies."""
        return ""

    def action_weight(self) -> None:
        """Ask for a new share of users."""
        from quantdeck_console.screens.weight import WeightDialog

        if target := self._target("change"):
            view, experiment = target
            others = [one.name for one, _ in self.deck.model.gateways(experiment.name) if one.name != view.name]
            self.app.push_screen(WeightDialog(view, experiment, self.deck.by, others))

    def action_roll_back(self) -> None:
        """Ask whether everyone should go back to the control."""
        from quantdeck_console.screens.rollback import RollbackDialog

        if not (target := self.to_roll_back() or self._target("roll back")):
            return
        _, experiment = target
        run = self.deck.runs.rollback_of(experiment.name)
        gateways = self.deck.model.gateways(experiment.name)
        if all(one.state.latched for _, one in gateways) and not run.started:
            self.deck.say(f"{experiment.name} is rolled back already; c on its pane clears the latch")
            return
        self.app.push_screen(RollbackDialog(run, experiment))

    def refused(self, action_id: str) -> str:
        """Only what is frozen can go on, and only the rest be frozen."""
        if action_id in ("freeze", "unfreeze"):
            frozen = self.deck.model.standing.frozen
            if action_id == "freeze" and frozen and frozen.whole:
                return "the whole fleet is frozen already; u lets it go on"
            if action_id == "unfreeze" and frozen is None:
                return "nothing is frozen"
        return super().refused(action_id)

    def action_freeze(self) -> None:
        """Ask why all automation is to be held."""
        self._ask_freeze(freeze=True)

    def action_unfreeze(self) -> None:
        """Ask why it may go on."""
        self._ask_freeze(freeze=False)

    def _ask_freeze(self, *, freeze: bool) -> None:
        from quantdeck_console.screens.form import FormDialog
        from quantdeck_console.screens.freeze import freeze_form

        self.app.push_screen(FormDialog(freeze_form(self.deck, freeze=freeze)))

    def action_copy(self) -> None:
        """Copy a sentence through the terminal."""
        # What is copied ends up in somebody's shell.
        text = clean(self.sentence(), one_line=True)
        if not text:
            self.deck.say("there is nothing to copy here")
            return
        self.app.copy_to_clipboard(text)
        self.deck.say(f"copied: {text}", "dim")

    def action_fleet(self) -> None:
        """Pane 1."""
        self.deck.show_pane("fleet", self.subject)

    def action_host(self) -> None:
        """Pane 2."""
        self.deck.show_pane("host", self.subject)

    def action_deploy(self) -> None:
        """Pane 3."""
        self.deck.show_pane("deploy", self.subject)

    def action_experiment(self) -> None:
        """Pane 4."""
        self.deck.show_pane("experiment", self.subject)

    def action_incident(self) -> None:
        """Pane 5."""
        self.deck.show_pane("incident", self.subject)

    def action_bench(self) -> None:
        """Pane 6."""
        self.deck.show_pane("bench", self.subject)

    def action_alarms(self) -> None:
        """The pages of the fleet."""
        self.deck.show_pane("alarms", self.subject)

    def action_back(self) -> None:
        """To the pane that this one was opened from; the first one stays."""
        if len(self.app.screen_stack) > 1:
            self.dismiss(None)

    def action_pause(self) -> None:
        """Stop the recording, or let it go on."""
        if self.deck.play:
            self.deck.play.pause()
            self.deck.redraw()

    def action_wind_back(self) -> None:
        """A minute back."""
        self._wind(-WIND_S)

    def action_wind_on(self) -> None:
        """A minute on."""
        self._wind(WIND_S)

    def _wind(self, seconds: float) -> None:
        if self.deck.play:
            self.deck.play.jump(seconds)
            self.deck.redraw()

    def action_help(self) -> None:
        """All keys."""
        from quantdeck_console.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(self.NAME))

    def action_palette(self) -> None:
        """All actions by name."""
        from quantdeck_console.screens.palette import PaletteScreen

        self.app.push_screen(PaletteScreen(self))

    def action_quit(self) -> None:
        """Leave."""
        self.app.exit()

    def _target(self, verb: str) -> tuple[HostView, ExperimentStatus] | None:
        target = self.target()
        if target is None:
            view = self.concerns()
            self.deck.say(f"no experiment on {view.name if view else 'this host'}: nothing to {verb}")
        return target
