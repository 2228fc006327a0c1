"""The terminal console: composes the link, the model and the screens, and nothing else."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from rich.console import RenderableType
from rich.style import Style
from textual import events
from textual.app import App
from textual.binding import BindingType
from textual.filter import LineFilter, Monochrome, NoColor
from textual.screen import Screen
from textual.widgets import Input

from quantdeck_console.actions.action import PLAYED, READONLY
from quantdeck_console.actions.extra import ExtraAction
from quantdeck_console.actions.runs import Runs
from quantdeck_console.link.interface import FleetLink
from quantdeck_console.model.deck import DeckModel
from quantdeck_console.model.glyphs import ASCII, UNICODE, Glyphs
from quantdeck_console.model.subject import Subject
from quantdeck_console.model.text import Tone
from quantdeck_console.pending import PendingFile
from quantdeck_console.screens.base import DeckScreen, bindings_of
from quantdeck_console.screens.fleet import FleetScreen
from quantdeck_console.screens.pane import Pane
from quantdeck_console.screens.panes import missing, pane_of, subject_for
from quantdeck_console.terminal import MIN_COLUMNS, MIN_ROWS, Display, display_of
from quantdeck_console.widgets.driver import DeckDriver
from quantdeck_console.widgets.filters import filters_of
from quantdeck_console.widgets.shown import Shown
from quantdeck_console.widgets.tones import THEMES, theme_of, tones_of
from quantdeck_console.widgets.work import begin
from quantdeck_core.errors import QuantdeckError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.state import FleetState
from quantdeck_core.protocol.events import Event, Snapshot
from quantdeck_core.text import clean

if TYPE_CHECKING:
    from quantdeck_console.model.deploy_choice import Choice
    from quantdeck_console.recording.player import PlayedFleet

DRAW_S = 0.5
"""Updates are collected and drawn at most twice a second."""
SOON_S = 0.05
"""Answers to what was asked for come sooner than that, from many hosts at once."""

PAGED_AFTER_S = 5.0
"""An agent counts a new page a moment after its alarm."""

__all__ = ["DeckApp", "ExtraAction"]


class DeckApp(App[None]):
    """Run it with `DeckApp(...).run(mouse=False)`, after `terminal.check_terminal`."""

    ENABLE_COMMAND_PALETTE = False
    # Keys belong to the screens; a field takes them only where it was asked for.
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("app", priority=True)
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (MIN_COLUMNS, "-fits-width")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (MIN_ROWS, "-fits-height")]  # noqa: RUF012
    CSS = """
    Screen { overflow: hidden; }
    Screen.-narrow > *, Screen.-short > * { display: none; }
    Screen.-narrow > TooSmall, Screen.-short > TooSmall { display: block; }
    """

    def __init__(
        self,
        link: FleetLink,
        *,
        by: str,
        extra_actions: Sequence[ExtraAction] = (),
        readonly: bool = False,
        pending: PendingFile | None = None,
        title: str = "quantdeck",
        background: Callable[[], Awaitable[None]] | None = None,
        connecting_text: str | Callable[[], str] = "connecting",
        command_options: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
        display: Display | None = None,
        play: PlayedFleet | None = None,
    ) -> None:
        """Compose a console.

        Args:
            by: who sits here, for the timeline.
            extra_actions: shown first in the palette.
            readonly: no dangerous action at all, whatever the agents would allow.
            pending: where rollbacks are kept that a host could not be asked for.
            background: runs beside the console, e.g. a demo's traffic; its error is shown and ends nothing.
            connecting_text: shown until the first host has answered.
            command_options: what a command that is shown needs to act on this fleet, e.g. `--fleet FILE`.
            clock: UNIX time.
            display: how to draw; taken from the environment where it is not given.
            play: the recording, where the link is one; nothing can be changed then.
        """
        super().__init__(driver_class=DeckDriver)
        self.link = link
        self.by = by
        self.extra_actions = tuple(extra_actions)
        self.play = play
        self.why_readonly = PLAYED if play else READONLY if readonly else ""
        self.command_options = tuple(command_options)
        self.deploy_choice: Choice | None = None
        self.title = title
        self.display_mode = display or display_of(os.environ)
        self.model = DeckModel(link.hosts, play.clock if play else clock, clock)
        self.glyphs: Glyphs = ASCII if self.display_mode.ascii else UNICODE
        self.tones: Mapping[str, Style] = tones_of(self.display_mode)
        self.no_color = self.display_mode.colour == "none"
        self.terminal_title = ""
        self._background = background
        self._connecting_text = connecting_text
        self.runs = Runs(self, pending)
        self._drawn_at = self._rang_at = 0.0
        self._pending = self._soon = False
        self._reported = False
        self._shown = Shown()
        self._damaged = 0
        self._text_since = 0.0
        self._filters_here = filters_of(self.display_mode)
        for theme in THEMES:
            self.register_theme(theme)

    @property
    def connecting_text(self) -> str:
        """What is being waited for."""
        return self._connecting_text if isinstance(self._connecting_text, str) else self._connecting_text()

    @staticmethod
    def monotonic() -> float:
        """The clock of Textual's events."""
        return time.monotonic()

    def get_default_screen(self) -> Screen[None]:
        """Pane 1."""
        return FleetScreen()

    def on_mount(self) -> None:
        """Connect, and draw from then on."""
        self.theme = theme_of(self.display_mode).name
        if not self.display_mode.animations:
            self.animation_level = "none"
        if isinstance(self._driver, DeckDriver):
            self._driver.before_return = self._draw_anew
        if self.play:
            self.play.fleet, self.play.wound = lambda: self.model.fleet, self._wound
        self._set_terminal_title(self.title)
        self.set_interval(DRAW_S, self._tick)
        self.call_after_refresh(self._connect)
        self.runs.resume()
        if self._background:
            begin(self, partial(self._guarded, self._background), group="background")

    def get_line_filters(self) -> Sequence[LineFilter]:
        """All that is drawn passes these; what NO_COLOR means is decided with the rest of the display."""
        textuals = [one for one in super().get_line_filters() if not isinstance(one, Monochrome | NoColor)]
        return (*textuals, *self._filters_here)

    def action_suspend_process(self) -> None:
        """Back to the shell, until it says `fg`."""
        if isinstance(self._driver, DeckDriver):
            self._driver.stop_process()

    def text_from_now_on(self) -> None:
        """A field was opened by a key: what was typed behind that key is for the field."""
        self._text_since = self.monotonic()

    def on_key(self, event: events.Key) -> None:
        """A key that was on its way before the field was there goes to the field, not to an action of the pane."""
        if event.time <= self._text_since and isinstance(self.focused, Input):
            event.prevent_default()
            event.stop()
            self.post_message(events.Key(event.key, event.character))

    def _connect(self) -> None:
        begin(self, partial(self._guarded, partial(self.link.run, self._receive)), group="link")

    async def _tick(self) -> None:
        for _ in self.model.catching_up():
            await asyncio.sleep(0)  # a key need not wait for a whole fleet
        self._draw()
        self._fit()
        if isinstance(self._driver, DeckDriver) and self._driver.hung_up:
            self.exit()

    def _fit(self) -> None:
        """Tell screens a size that they were not told: Textual's timer for it is lost where a machine is busy."""
        for screen in self._visible():
            if isinstance(screen, DeckScreen) and screen.told_size != self.size:
                screen.post_message(events.Resize(self.size, self.size))

    def redraw(self) -> None:
        """Show the model as it is now; what is equal sends nothing."""
        self.model.catch_up()
        self._draw()

    def draw_soon(self) -> None:
        """Show how far something is, with all that happens in the moment until then: nobody waits for a drawing."""
        if not self._soon:
            self._soon = True
            self.set_timer(SOON_S, self.redraw)

    def _draw(self) -> None:
        self._pending = self._soon = False
        self._drawn_at = self.monotonic()
        if isinstance(self._driver, DeckDriver) and self._driver.behind:
            return  # the next tick draws it
        if self.play:
            self._say_damage(self.play)
        if self.terminal_title != self.title and self._answered():
            self._set_terminal_title(self.title)
        for screen in self._visible():
            if isinstance(screen, DeckScreen):
                screen.draw()

    def _visible(self) -> Iterator[Screen[Any]]:
        """The pane, and what is over it; it hides what lies below, which is drawn when it comes up again."""
        for screen in reversed(self.screen_stack):
            yield screen
            if isinstance(screen, Pane):
                break

    def show_pane(self, name: str, subject: Subject) -> None:
        """Open a pane about something, or go back to it where it is open already; each is open once at most."""
        subject = subject_for(name, subject, self.model)
        if (why := missing(name, subject)) and name != "fleet":
            self.say(why)
            return
        names = [screen.NAME for screen in self.screen_stack if isinstance(screen, Pane)]
        if name not in names:
            self.push_screen(pane_of(name, subject))
            return
        while isinstance(self.screen, Pane) and name != self.screen.NAME:
            self.pop_screen()
        if isinstance(self.screen, Pane):
            self.screen.choose(subject)

    def run_extra(self, extra: ExtraAction) -> None:
        """Do what the caller added, and say how it went."""
        self.say(f"{extra.title} ...", "dim")
        begin(self, partial(self._extra, extra), group="extra")

    def say(self, text: str, tone: Tone = "") -> None:
        """Show a sentence in the footer for a few seconds, at once."""
        self.model.say(text, tone)
        self.redraw()

    async def _extra(self, extra: ExtraAction) -> None:
        try:
            self.say(await extra.run(), "strong")
        except QuantdeckError as error:
            self._say_error(error)

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except QuantdeckError as error:
            self._say_error(error)

    def _say_error(self, error: QuantdeckError) -> None:
        info = error.info()
        self.say(f"x {info.title}: {info.detail} {info.hint}".strip(), "warn")

    def _receive(self, host: str, update: Event | LinkChange) -> None:
        alarms = self.model.receive(host, update)
        if self.runs.resumed and isinstance(update, Snapshot):
            self.runs.resumed.back(host)
        if alarms:
            self.bell()
            self._rang_at = self.monotonic()
            self._set_terminal_title(f"! {host}: {alarms[-1].text}")
        first = isinstance(update, Snapshot) and not self._reported
        if first or (not self._pending and self.monotonic() - self._drawn_at >= DRAW_S):
            self.call_later(self.redraw)
        self._pending = True
        self._reported |= first

    def _answered(self) -> bool:
        """Nothing is wrong any more, or somebody has taken all of it: the title needs to call nobody."""
        return self.model.quiet or (not self.model.calls and self.monotonic() - self._rang_at > PAGED_AFTER_S)

    def _set_terminal_title(self, text: str) -> None:
        text = clean(text, one_line=True)
        if text != self.terminal_title:
            self.terminal_title = text
            if isinstance(self._driver, DeckDriver):
                self._driver.set_title(text)

    def _display(self, screen: Screen[None], renderable: RenderableType | None) -> None:
        super()._display(screen, self._shown.difference(renderable))

    def _wound(self, fleet: FleetState) -> None:
        self.model.restore(fleet)
        for screen in self.screen_stack:
            if isinstance(screen, DeckScreen):
                screen.rewound()
        self.redraw()

    def _say_damage(self, play: PlayedFleet) -> None:
        playing = play.playing
        if playing.damaged != self._damaged:
            self._damaged = playing.damaged
            self.model.say(f"! {play.tape.path.name}: {playing.damage}", "warn")

    def _draw_anew(self) -> None:
        """All of it: hosts may have been silent while the terminal was somebody else's."""
        self.redraw()
        self.screen.refresh(layout=True)
