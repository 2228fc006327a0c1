"""Pane 3: a profile, hosts, the check of each, and what goes on there."""

from __future__ import annotations

import asyncio
from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input

from quantdeck_console.actions.action import refusal
from quantdeck_console.actions.registry import action_of
from quantdeck_console.model.asked import Asked
from quantdeck_console.model.deploy_check import CHECK_EVERY_S
from quantdeck_console.model.deploy_choice import Choice
from quantdeck_console.model.deploy_hosts import HostColumns, HostRow, at_work, host_head, host_line, host_row
from quantdeck_console.model.deploy_order import Order, orders
from quantdeck_console.model.deploy_profiles import ProfileColumns, ProfileRow, profile_head, profile_line
from quantdeck_console.model.deploy_progress import under_way
from quantdeck_console.model.deploy_view import Shown, deploy_command, detail_lines, wish_line
from quantdeck_console.model.subject import Subject
from quantdeck_console.model.text import Line, line, span
from quantdeck_console.profile_list import read_item, read_items, source_of
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.question import Question
from quantdeck_console.screens.subject_pane import SubjectPane
from quantdeck_console.widgets.lines import Lines
from quantdeck_console.widgets.prompt import Prompt
from quantdeck_console.widgets.table import Table
from quantdeck_console.widgets.work import begin
from quantdeck_core.errors import QuantdeckError
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.operation import Intended, Operation

_LEFT = 47
"""Columns of the profiles at 80; half of what is more goes to them."""


class DeployScreen(SubjectPane):
    """Every key gives the next `Choice`; what is drawn and asked follows from it."""

    NAME = "deploy"
    BINDINGS = bindings_of("deploy")
    DEFAULT_CSS = """
    DeployScreen #wish, DeployScreen #rule { height: 1; width: 100%; }
    DeployScreen #lists { width: 100%; height: 8; }
    DeployScreen #profiles { height: 100%; }
    DeployScreen #hosts { width: 1fr; height: 100%; margin-left: 1; }
    DeployScreen Prompt { dock: bottom; offset-y: -1; display: none; }
    DeployScreen Prompt.-open { display: block; }
    """

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.choice = Choice(hosts=())
        self._operation = ""
        self._questions: dict[str, Question[Intended]] = {}
        self._asked_for: dict[str, object] = {}
        self._settled: dict[str, str] = {}
        self._path = ""

    def compose_content(self) -> ComposeResult:
        """Both lists, the details, and what is typed into."""
        yield Lines(id="wish")
        with Horizontal(id="lists"):
            yield Table[ProfileRow](id="profiles", cursor=self.deck.glyphs.cursor)
            yield Table[HostRow](id="hosts", cursor=self.deck.glyphs.cursor)
        yield Lines(id="rule")
        yield from super().compose_content()
        yield Prompt(id="filter", label="/")
        yield Prompt(id="path", label="profile's file")
        yield Prompt(id="name", label="engine's name", restrict=r"[a-z0-9._-]*")

    def opened(self) -> None:
        """Mark the host that it is about, and read the profiles."""
        known = self.deck.deploy_choice or Choice(hosts=())
        self.choice = known.reopened(self.deck.link.hosts).about(self._subject.host)
        self._settled = self._accepted()
        super().opened()
        begin(self, self._read)

    async def _read(self) -> None:
        named = [item.source for item in self.choice.profiles]
        items = await asyncio.to_thread(read_items, named)
        self._become(self.choice.having(items))

    # What it is about

    @property
    def subject(self) -> Subject:
        """The host under the cursor, with its experiment."""
        host = self.choice.host
        if host == self._subject.host or not host:
            return self._subject
        view = self.deck.model.fleet.hosts[host]
        running = view.status.experiments if view.status else ()
        return Subject(host, running[0].name if running else "")

    def choose(self, subject: Subject) -> None:
        """Put the cursor on another host; it is marked where nobody has marked any."""
        self._subject = subject
        self._become(self.choice.about(subject.host))

    def place(self) -> str:
        """It is about more than one host."""
        return "deploy"

    def sentence(self) -> str:
        """The command that does the same."""
        return deploy_command(self.choice, self.deck.model.fleet, self.deck.command_options)

    def refused(self, action_id: str) -> str:
        """A deployment is for all marked hosts; there must be something to cancel."""
        if action_id == "start" and (action := action_of(self.NAME, action_id)):
            if self._typing:
                return ""  # the key is the field's
            hosts = self.deck.model.fleet.hosts
            views: list[HostView | None] = [None, *(hosts[host] for host in self.choice.marks)]
            whys = (refusal(action, readonly=self.deck.why_readonly, view=view) for view in views)
            return next(filter(None, whys), "")
        if action_id == "cancel_operation" and self._composed and self._shown_operation() is None:
            return f"nothing goes on on {self.choice.host or 'this host'}"
        return super().refused(action_id)

    # What is drawn

    def fill(self) -> None:
        """Draw the choice, the hosts as they are now, and the details."""
        self._settle()
        width, choice = self.size.width, self.choice
        self.query_one("#lists").styles.height = self._list_rows
        views = self.deck.model.fleet.hosts
        self.query_one("#wish", Lines).show([wish_line(choice, at_work(views), width)])
        self.query_one("#rule", Lines).show([line(span(self.deck.glyphs.rule * width, "dim"))])
        left = _LEFT + max(0, width - 80) // 2
        self._fill_profiles(left)
        self._fill_hosts(width - left - 1)
        super().fill()

    def body(self, width: int, height: int) -> list[Line]:
        """Below the lists."""
        room = height - 2 - self._list_rows
        return detail_lines(self.choice, self._shown(), self.deck.model.clock(), width, room, self.deck.glyphs)

    @property
    def _list_rows(self) -> int:
        """Rows of both lists with their heads: a third of a low screen, a little more of a high one."""
        return max(8, self.size.height * 2 // 5 - 1)

    def _fill_profiles(self, width: int) -> None:
        table, choice = self.query_one("#profiles", Table), self.choice
        table.styles.width = width
        columns, shown = ProfileColumns.for_width(width - 1), choice.shown_profiles
        sources = [item.source for item in shown]
        under = choice.under
        table.activate(choice.area == "profiles")
        table.fill(
            profile_head(columns, choice.profile_filter, len(shown)),
            [ProfileRow.of(item, choice.profile) for item in shown],
            partial(profile_line, columns=columns),
            sources.index(under.source) if under else 0,
        )

    def _fill_hosts(self, width: int) -> None:
        table, choice, model = self.query_one("#hosts", Table), self.choice, self.deck.model
        columns, now, shown = HostColumns.for_width(width - 1), model.clock(), choice.shown_hosts
        known, sent = {row.name: row for row in model.rows()}, self.deck.runs.deployments.sent
        rows = [
            host_row(model.fleet.hosts[host], known[host], choice, self._check(host), sent.get(host), now)
            for host in shown
        ]
        table.activate(choice.area == "hosts")
        table.fill(
            host_head(columns, choice.host_filter, len(shown), len(choice.marks)),
            rows,
            partial(host_line, columns=columns),
            shown.index(choice.host) if shown else 0,
        )

    def _shown(self) -> Shown | None:
        host = self.choice.host
        if not host:
            return None
        fleet, sent = self.deck.model.fleet, self.deck.runs.deployments.sent.get(host)
        return Shown(fleet, host, self._check(host), sent, self._operation, self.deck.command_options)

    def _check(self, host: str) -> Asked[Intended]:
        question = self._questions.get(host)
        return question.asked if question else Asked()

    def _shown_operation(self) -> Operation | None:
        view = self.deck.model.fleet.hosts.get(self.choice.host)
        going = under_way(view) if view else ()
        return next((one for one in going if one.id == self._operation), going[0] if going else None)

    # What is asked

    def _become(self, choice: Choice) -> None:
        """The next choice: ask about it, and draw it."""
        if choice == self.choice:
            return
        if (choice.host, choice.profile, choice.area) != (self.choice.host, self.choice.profile, self.choice.area):
            self.query_one("#body", Lines).scroll_lines(0)
        self.choice = self.deck.deploy_choice = choice
        self._ask()
        self.draw()

    def _ask(self) -> None:
        """Have each marked host check the present wish, and no other."""
        wish = self.choice.asked()
        marked = self.choice.marks if wish is not None else ()
        for host in [host for host in self._questions if host not in marked]:
            self._questions.pop(host).stop()
            del self._asked_for[host]
        for host in marked:
            if wish is not None and self._asked_for.get(host) != wish:
                self._asked_for[host] = wish
                question = self._questions.setdefault(host, Question(self, f"check of {host}", CHECK_EVERY_S))
                question.ask(host, lambda client: client.intend(wish), anew=True)

    def _accepted(self) -> dict[str, str]:
        """Hosts that have begun what was asked of them last, with the request's id."""
        sent = self.deck.runs.deployments.sent
        return {host: one.request.request_id for host, one in sent.items() if one.progress == "accepted"}

    def _settle(self) -> None:
        """What was accepted since is not marked any more; somebody may mark it again."""
        accepted = self._accepted()
        fresh = [host for host in self.choice.marks if accepted.get(host, "") not in ("", self._settled.get(host))]
        self._settled = accepted
        if fresh:
            self.choice = self.choice.begun(fresh)
            self._ask()

    def _orders(self) -> tuple[Order, ...] | str:
        checks = {host: self._check(host) for host in self.choice.marks}
        model = self.deck.model
        return orders(self.choice, checks, self.deck.runs.deployments.sent, model.fleet, model.clock())

    # Keys

    def action_mark(self) -> None:
        """Space."""
        self._become(self.choice.marked())

    def action_start(self) -> None:
        """Choose what is under the cursor where something else is chosen; else ask whether to begin."""
        from quantdeck_console.screens.deploy_forms import deploy_form
        from quantdeck_console.screens.form import FormDialog

        under = self.choice.under
        if self.choice.area == "profiles" and under is not None and under.source != self.choice.profile:
            if under.error is not None:
                self.deck.say(f"{under.source} cannot be read: {under.error.detail}", "warn")
            self._become(self.choice.marked())
            return
        found = self._orders()
        if isinstance(found, str):
            self.deck.say(found, "warn")
        else:
            self.app.push_screen(FormDialog(deploy_form(self.deck, found, self._orders)))

    def action_cancel_operation(self) -> None:
        """Ask whether to end what goes on."""
        from quantdeck_console.screens.deploy_forms import cancel_form
        from quantdeck_console.screens.form import FormDialog

        if operation := self._shown_operation():
            self.app.push_screen(FormDialog(cancel_form(self.deck, self.choice.host, operation)))

    def action_next_operation(self) -> None:
        """Round and round through all that goes on in the fleet."""
        hosts = self.deck.model.fleet.hosts
        going = [(host, one.id) for host in self.choice.hosts for one in under_way(hosts[host])]
        if not going:
            self.deck.say("nothing goes on in this fleet")
            return
        shown = self._shown_operation()
        here = (self.choice.host, shown.id if shown else "")
        host, self._operation = going[(going.index(here) + 1) % len(going) if here in going else 0]
        self._become(self.choice.at(host))
        self.draw()

    def action_next_list(self) -> None:
        """Tab."""
        self._close()
        self._become(self.choice.turned(1))

    def action_previous_list(self) -> None:
        """Shift and Tab."""
        self._close()
        self._become(self.choice.turned(-1))

    def action_swap(self) -> None:
        """Accept an outage, or not."""
        self._become(self.choice.swapping())

    def action_force(self) -> None:
        """Start it all the same, or not."""
        self._become(self.choice.forcing())

    def action_down(self) -> None:
        """One down, in the list that has the bright cursor."""
        self._move(1)

    def action_up(self) -> None:
        """One up."""
        self._move(-1)

    def action_top(self) -> None:
        """The first."""
        self._move(-10_000)

    def action_bottom(self) -> None:
        """The last."""
        self._move(10_000)

    def _move(self, by: int) -> None:
        if self.choice.area == "details":
            self._scroll(by)
        else:
            self._operation = ""
            self._become(self.choice.moved(by))

    # What is typed

    @property
    def _typing(self) -> bool:
        return any(prompt.has_class("-open") for prompt in self.query(Prompt))

    def _open(self, name: str, value: str) -> None:
        self._close()
        self.query_one(f"#{name}", Prompt).open(value)

    def _close(self) -> None:
        for prompt in self.query(Prompt):
            prompt.close()

    def action_filter(self) -> None:
        """Ask for words."""
        self._open("filter", self.choice.filter)

    def action_path(self) -> None:
        """Ask for a file."""
        self._open("path", self._path)

    def action_rename(self) -> None:
        """Ask for the engine's name."""
        if self.choice.chosen is None:
            self.deck.say("choose a profile first: its name is the engine's, until another one is typed")
        else:
            self._open("name", self.choice.engine)

    def action_back(self) -> None:
        """Close what is typed into, drop the filter, or leave."""
        if self._typing:
            self._close()
        elif self.choice.filter:
            self._become(self.choice.filtered(""))
        else:
            super().action_back()

    @on(Input.Changed, "#filter Input")
    def _filtered(self, event: Input.Changed) -> None:
        if self._typing:
            self._become(self.choice.filtered(event.value))

    @on(Input.Submitted, "#filter Input")
    def _done(self) -> None:
        self._close()

    @on(Input.Submitted, "#path Input")
    async def _named_file(self, event: Input.Submitted) -> None:
        self._close()
        if source := source_of(event.value):
            self._path = source
            self._become(self.choice.given(await asyncio.to_thread(read_item, source)))

    @on(Input.Submitted, "#name Input")
    def _named_engine(self, event: Input.Submitted) -> None:
        self._close()
        try:
            self._become(self.choice.named(event.value))
        except QuantdeckError as error:
            self.deck.say(error.detail, "warn")
