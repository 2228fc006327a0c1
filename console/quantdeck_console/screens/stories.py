"""What the agents of an experiment are asked while its incident is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from quantdeck_console.link.deck_client import DeckClient
from quantdeck_console.model.asked import Asked
from quantdeck_console.model.incident import ASK_EVERY_S, Side, Story
from quantdeck_console.model.subject import Subject
from quantdeck_console.screens.question import Question
from quantdeck_core.errors import RemoteError
from quantdeck_core.fleet.state import HostView

if TYPE_CHECKING:
    from quantdeck_console.screens.base import DeckScreen


class Stories:
    """A question a host: asked again at intervals, and at once when something happened there."""

    def __init__(self, screen: DeckScreen) -> None:
        self._screen = screen
        self._questions: dict[str, Question[Story]] = {}
        self._seen: dict[str, tuple[object, Asked[Story]]] = {}

    def follow(self, experiment: str, hosts: Sequence[str]) -> None:
        """Ask these hosts, and no other ones; cheap where nothing has changed."""
        for host in {*self._questions} - {*hosts}:
            self._questions.pop(host).stop()
            del self._seen[host]
        for host in hosts:
            question = self._questions.get(host)
            if question is None:
                question = self._questions[host] = Question(self._screen, f"incident-{host}", ASK_EVERY_S)
            elif not self._is_new(experiment, host, question):
                continue
            self._seen[host] = (self._mark(experiment, host), question.asked)
            question.ask(host, lambda client: ask_story(client, experiment))

    def sides(self, experiment: str, hosts: Sequence[str]) -> tuple[Side, ...]:
        """What each host tells, by its events and by its answers."""
        deck = self._screen.deck
        sides = []
        for host in hosts:
            question, run = self._questions.get(host), deck.runs.replays.get(Subject(host, experiment))
            sides.append(
                Side(
                    view=deck.model.fleet.hosts.get(host, HostView(name=host)),
                    experiment=deck.model.experiment(host, experiment),
                    asked=question.asked if question else Asked(),
                    replaying=run.state if run else None,
                )
            )
        return tuple(sides)

    def forget(self) -> None:
        """It is about another experiment."""
        for question in self._questions.values():
            question.stop()
        self._questions.clear()
        self._seen.clear()

    def _is_new(self, experiment: str, host: str, question: Question[Story]) -> bool:
        """Whether something happened since it was asked; while the answer is on its way that can wait."""
        mark, before = self._seen[host]
        return question.asked is not before and mark != self._mark(experiment, host)

    def _mark(self, experiment: str, host: str) -> object:
        known = self._screen.deck.model.experiment(host, experiment)
        view = self._screen.deck.model.fleet.hosts.get(host)
        return (known and (known.timeline, known.state.revision), view and view.link.state)


async def ask_story(client: DeckClient, experiment: str) -> Story:
    """The report, and the pages that go on.

    Raises:
        UnreachableError, RemoteError: the agent does not answer, or tells of no incident.
    """
    report = await client.incident(experiment)
    try:
        pages = (await client.alerts()).pages
    except RemoteError:
        pages = None
    return Story.of(report, pages)
