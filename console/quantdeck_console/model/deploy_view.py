"""The deploy pane as lines: what would be done, and below the lists what is known of the host under the cursor."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from quantdeck_console.model.asked import Asked
from quantdeck_console.model.deploy_check import Standing, standing
from quantdeck_console.model.deploy_choice import Choice
from quantdeck_console.model.deploy_order import Sent, does, users_of
from quantdeck_console.model.deploy_progress import at_work_lines, lately, operation_lines, under_way
from quantdeck_console.model.deploy_room import room_lines
from quantdeck_console.model.glyphs import Glyphs
from quantdeck_console.model.text import EMPTY, Line, Span, ends, fit, greyed, line, span, wrapped
from quantdeck_core.engines.command import Command
from quantdeck_core.engines.shell import shell_lines
from quantdeck_core.fleet.cells import clock
from quantdeck_core.fleet.health import health, heard_age
from quantdeck_core.fleet.state import FleetState, HostView
from quantdeck_core.protocol.operation import Intended
from quantdeck_core.protocol.requests import Deploy


@dataclass(frozen=True)
class Shown:
    """What the details of a host are made of.

    Attributes:
        operation: id of the one whose steps are shown; empty for the newest.
        options: what a command needs to act on this fleet.
    """

    fleet: FleetState
    host: str
    asked: Asked[Intended]
    sent: Sent | None
    operation: str = ""
    options: tuple[str, ...] = ()

    @property
    def view(self) -> HostView:
        """What is known of it."""
        return self.fleet.hosts[self.host]


def wish_line(choice: Choice, at_work: Line, width: int) -> Line:
    """What Enter would do, in one line."""
    item = choice.chosen
    if item is None or item.profile is None:
        start = line(
            " ", Span("Space", "key"), " chooses a profile", Span("  Tab", "key"), " the hosts",
            Span("  Enter", "key"), " deploys",
        )  # fmt: skip
        return ends(start, at_work, width)
    named = f"{choice.engine} from {item.name}" if choice.engine != item.name else item.name
    where = ", ".join(choice.marks) or "no host yet"
    flags = [Span("  FORCE !", "warn")] if choice.force else []
    flags += [Span("  swap !", "warn")] if choice.swap else []
    end = (*flags, Span("  "), *at_work)
    start = line(span(" deploy ", "dim"), span(named, "strong"), span(" on ", "dim"), span(where, "strong"))
    return ends(start, end, width)


def detail_lines(
    choice: Choice, shown: Shown | None, now: float, width: int, height: int, glyphs: Glyphs
) -> list[Line]:
    """Below the lists: the profile under the cursor, what goes on on the host, and its check."""
    lines = _profile(choice, width)
    if shown is None:
        return [*lines, line(span(f" no host matches {choice.host_filter!r}; Esc shows all", "dim"))]
    wish = choice.wish()
    checked = wish is not None and shown.host in choice.marks
    lines += _going_on(shown, now, width, 0 if checked else height - len(lines), glyphs)
    others = [view for name, view in shown.fleet.hosts.items() if name != shown.host]
    if wish is None:
        return [*lines, *at_work_lines(others, now, width, height - len(lines))]
    gap = [EMPTY] if lines else []
    if wish.profile.nodes is not None:
        return [*lines, *gap, *_over_hosts(choice, wish, deploy_command(choice, shown.fleet, shown.options), width)]
    if not checked:
        lines += (
            [] if lines else [line(span(f" {shown.host} is not marked: Space marks it, then it is checked", "dim"))]
        )
        return [*lines, *at_work_lines(others, now, width, height - len(lines))]
    return [*lines, *gap, *check_lines(shown.asked, shown.view, wish, now, width, glyphs)]


def _profile(choice: Choice, width: int) -> list[Line]:
    if choice.area != "profiles":
        return []
    if not choice.shown_profiles:
        text = (
            f" no profile matches {choice.profile_filter!r}; Esc shows all" if choice.profiles else " reading profiles"
        )
        return [line(span(text, "dim"))]
    item = choice.under
    if item is None:
        return []
    if item.error is not None:
        return [
            *wrapped(f"x {item.error.title}: {item.error.detail}", width, "warn", most=3),
            *wrapped(item.error.hint, width, "", indent="   ", most=2),
            *wrapped("p names a file, or this one again once it is mended", width, "dim", indent="   ", most=1),
        ]
    said = item.description or (item.profile.model if item.profile else "")
    return [line(span(fit(f" {item.name}: {said}", width - 1), "dim"))]


def _going_on(shown: Shown, now: float, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """Operations of the host, what was answered to the last request, and how the last one ended.

    Args:
        height: rows there are; 0 for as few as it takes, since more comes below.
    """
    view, sent = shown.view, shown.sent
    lines = _answer(sent, now, width) if sent else []
    gone = view.link.state != "connected" or health(view, now).level == "stale"
    lost = heard_age(view, now) if gone else None
    going = under_way(view)
    first = next((one for one in going if one.id == shown.operation), going[0] if going else None)
    if first is None:
        ended = lately(view, sent.operation if sent else "") or lately(view)
        return lines + (operation_lines(view, ended, width, height, glyphs, lost) if ended else [])
    lines += operation_lines(view, first, width, height - len(lines) - len(going) + 1, glyphs, lost)
    others = (operation_lines(view, one, width, 0, glyphs, lost)[0] for one in going if one is not first)
    return [*lines, *others]


def _answer(sent: Sent, now: float, width: int) -> list[Line]:
    if sent.progress == "accepted":
        return []
    name = sent.request.name or sent.request.profile.name
    if sent.progress == "sent":
        return [line(" ", span(f"{name}: {sent.word(now)}, waiting for the agent's answer", "strong"))]
    error = sent.error
    detail = f"{error.title}: {error.detail}" if error else sent.word(now)
    lines = wrapped(f"x {name}: {detail}", width, "warn", most=3)
    if sent.progress == "lost":
        said = "Whether it began is not known. Enter sends the same request again: it is done once."
        return lines + wrapped(said, width, "strong", indent="   ", most=2)
    return lines + wrapped(error.hint if error else "", width, "", indent="   ", most=2)


def check_lines(
    asked: Asked[Intended], view: HostView, wish: Deploy, now: float, width: int, glyphs: Glyphs
) -> list[Line]:
    """The check of one host: what it needs and has, what happens, why not, and the exact command."""
    stands = standing(asked, view, wish, now)
    at = span(f"checked {clock(asked.at)} ", "dim" if stands.current else "stale") if asked.at is not None else Span("")
    top = ends(line(span(f" {view.name}  ", "strong"), Span(stands.word, stands.tone)), (at,), width)
    blocks = wrapped(stands.blocks, width, "stale" if stands.tone == "stale" else "", indent="   ", most=4)
    intended = asked.value
    if intended is None:
        return [top, *blocks]
    facts = _facts(intended, view, wish, stands, width, glyphs)
    if not stands.current:
        return [top, *blocks, *greyed(facts)]
    return [top, *facts]


def _facts(
    intended: Intended, view: HostView, wish: Deploy, stands: Standing, width: int, glyphs: Glyphs
) -> list[Line]:
    users = users_of(view, intended.engine)
    lines = wrapped(f"{does(view, intended)}{f'. It is the {users}.' if users else ''}", width, "", most=2)
    if intended.room is not None:
        lines += room_lines(intended.room, width, glyphs, after=intended.kind == "swap")
    if intended.note:
        lines += wrapped(f"! {intended.note}", width, "warn", most=2)
    lines += [*_against(intended, wish, width), *_keys(intended, wish)]
    copies = f"{intended.replicas} replicas, the first: " if intended.replicas > 1 else ""
    if intended.argv:
        lines.append(line(span(f" {copies}{wish.profile.engine} {intended.version}, started with", "dim")))
        shell = shell_lines(Command(argv=intended.argv, env=intended.env))
        lines += [piece for one in shell for piece in _shell(one, width)]
    return lines


def _against(intended: Intended, wish: Deploy, width: int) -> list[Line]:
    """What speaks against it, in the agent's words, and what to do."""
    refusal, outage = intended.refusal, intended.outage
    if outage and intended.kind == "swap":
        return wrapped(f"! nobody is served by {intended.engine} for {outage}", width, "warn", most=2)
    if outage:
        why = refusal.detail if refusal else "A port or a host is the old one's own."
        swap = f"A swap ends the old one first: nobody is served by it for {outage}."
        return wrapped(f"! no room for both: {why} {swap}", width, "warn", most=3)
    if refusal is None:
        return []
    forced = "forced although refused" if wish.force else "refused"
    lines = wrapped(f"x {forced}: {refusal.detail}", width, "warn", most=3)
    return lines + wrapped(f"next: {refusal.hint}", width, "", indent="   ", most=2)


def _keys(intended: Intended, wish: Deploy) -> list[Line]:
    """What can be pressed against what speaks against it."""
    keys: list[str | Span] = []
    if intended.outage and (intended.kind == "swap" or not wish.swap):
        keys += [Span("   s", "key"), " does not swap" if wish.swap else " swaps"]
    if intended.refusal is not None:
        keys += [Span("   F", "key"), " does not force it" if wish.force else " forces it, once its name is typed"]
    return [line(*keys)] if keys else []


def _shell(text: str, width: int) -> list[Line]:
    """A line of a shell in as many as it takes: nothing of a command is cut."""
    room = max(20, width - 4)
    text = span(text).text
    pieces = [text[at : at + room] for at in range(0, len(text), room)]
    return [line(Span("   "), span(piece)) for piece in pieces]


def _over_hosts(choice: Choice, wish: Deploy, command: str, width: int) -> list[Line]:
    """What the console does not do itself, as a command to run."""
    count = wish.profile.nodes.count if wish.profile.nodes else 0
    missing = f" Mark {count} hosts, the head first: {len(choice.marks)} are." if len(choice.marks) != count else ""
    said = (
        f"{wish.profile.name} runs over {count} hosts, whose agents have to agree before one begins. This console does "
        f"not start it; this command asks them all, and ends what it began where one fails.{missing}"
    )
    return [
        *wrapped(said, width, "strong", most=4),
        EMPTY,
        *_shell(command, width),
        EMPTY,
        *wrapped("With --dry-run it says what each host would do. y copies it.", width, "dim", most=1),
    ]


def deploy_command(choice: Choice, fleet: FleetState, options: Sequence[str]) -> str:
    """The `quantdeck deploy` that does the same: for all marked hosts where it runs over several, else for the one
    under the cursor; empty while no profile is chosen."""
    wish = choice.wish()
    if wish is None:
        return ""
    nodes = wish.profile.nodes
    hosts = (*choice.marks, *["HOST"] * (nodes.count - len(choice.marks))) if nodes else (choice.host,)
    statuses = [view.status for host in hosts if (view := fleet.hosts.get(host))]
    runs = any(one.name == choice.engine for status in statuses if status for one in status.engines)
    words = ["quantdeck", "deploy", choice.profile, *(word for host in hosts for word in ("--host", host)), *options]
    words += ["--name", choice.name] if choice.name else []
    words += ["--replace"] if runs else []
    words += ["--swap"] if choice.swap else []
    words += ["--force"] if choice.force else []
    return shlex.join(words)
