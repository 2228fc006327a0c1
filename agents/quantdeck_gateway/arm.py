"""One side of an experiment while the gateway runs: its replicas and what it counted."""

from __future__ import annotations

import logging

from quantdeck_core.protocol.gateway import Arm as ArmConfig
from quantdeck_core.protocol.gateway import ArmCounters, Limits, VariantName
from quantdeck_gateway import ejection
from quantdeck_gateway.answer_id import AnswerIds
from quantdeck_gateway.ejection import Standing
from quantdeck_gateway.histogram import E2E_BOUNDS, ITL_BOUNDS, TTFT_BOUNDS, Histogram
from quantdeck_gateway.overload import Overload
from quantdeck_gateway.replica import Replica
from quantdeck_gateway.shadow import Copies, Shadows

CODE_CLASSES = ("broken", "1xx", "2xx", "3xx", "4xx", "5xx", "cancelled")
BROKEN, CANCELLED = 0, 6
"""Indexes into `CODE_CLASSES`; the others are the status divided by 100."""

SAID = ("up", "neutral", "down", "task_completed", "task_not_completed", "session_continued", "session_ended")
"""What users say of an answer."""

log = logging.getLogger("quantdeck.gateway")


class Arm:
    """Replicas and counters of a variant; it lives as long as the gateway, whatever the config says.

    Attributes:
        served_name: the model's name, as clients know it.
        fields: header lines that every answer of this arm carries.
        rotation: those of them that get requests; made anew when it changes, so that it may be kept for a while.
        draining: removed replicas that still answer.
        retries: requests that found one replica unreachable and went to another, or to the only one again.
        by_class: requests that ended, by `CODE_CLASSES`.
        open: a request that arrives while fewer are in flight goes on at once; `overload` decides about all others.
        mint: makes the ids of its answers.
        shadows: answers of its that nobody gets.
        copies: of its requests, for the other arm; None where there are none.
        feedback: what users said of its answers, by `SAID`.
        prompt_tokens, generation_tokens: of the answers that were analysed.
        cuts_loops: a streamed answer that is an endless loop is ended.
        loops_cut: how many were.
        keeps_prompts: a request's body goes to the analyser along with its answer.
    """

    def __init__(self, experiment: str, variant: VariantName, ids: AnswerIds) -> None:
        self.experiment, self.variant, self._ids = experiment, variant, ids
        self.served_name = ""
        self.mint = ids.mint(experiment, variant, 0)
        self.shadows = Shadows()
        self.copies: Copies | None = None
        self.feedback = dict.fromkeys(SAID, 0)
        self.cuts_loops = self.keeps_prompts = False
        self.loops_cut = 0
        self.prompt_tokens = self.generation_tokens = 0
        self.generation = 0
        self.fields = b""
        self.replicas: list[Replica] = []
        self.rotation: list[Replica] = []
        self.draining: list[Replica] = []
        self.retries = self.requests = self.errors = self.cancelled = self.in_flight = 0
        self.by_class = [0] * len(CODE_CLASSES)
        self.ttft = Histogram(TTFT_BOUNDS)
        self.itl = Histogram(ITL_BOUNDS)
        self.e2e = Histogram(E2E_BOUNDS)
        self.open = 0
        self.overload = Overload(self, Limits())

    def apply(self, config: ArmConfig, revision: int) -> None:
        """Serve this from the next request on; replicas that stay keep their connections."""
        known = {(replica.name, replica.url): replica for replica in self.replicas + self.draining}
        old, self.replicas = self.replicas + self.draining, []
        for one in config.replicas:
            replica = known.get((one.name, one.url)) or Replica(one)
            replica.update(one)
            replica.removed = False
            self.replicas.append(replica)
        for replica in old:
            if replica not in self.replicas:
                replica.removed = True
                replica.close_idle()
        self.draining = [replica for replica in old if replica.removed and replica.in_flight]
        self._rotate()
        self.overload.apply(config.limits)
        self.shadows.cancel(removed_only=True)
        self.generation = config.generation
        self.mint = self._ids.mint(self.experiment, self.variant, self.generation)
        self.fields = f"x-quantdeck-variant: {self.variant}\r\nx-quantdeck-revision: {revision}\r\n".encode()

    def begin(self, replica: Replica) -> None:
        """A request goes to a replica."""
        self.in_flight += 1
        replica.in_flight += 1
        replica.requests += 1

    def end(self, replica: Replica) -> None:
        """Its answer ended, however."""
        self.in_flight -= 1
        replica.in_flight -= 1
        if not self.open:
            self.overload.wake()
        if replica.removed and not replica.in_flight and replica in self.draining:
            self.draining.remove(replica)

    @property
    def healthy(self) -> bool:
        """Whether any replica gets requests."""
        return bool(self.rotation)

    def answered(self, replica: Replica) -> None:
        """It answered a user; only needed where it has failed before."""
        self.note(replica, ejection.answered(replica.standing))

    def failed(self, replica: Replica, reason: str, now: float) -> None:
        """A request came to nothing because of it; the reason continues "the engine ..."."""
        replica.failed += 1
        self.note(replica, ejection.failed(replica.standing, f"it {reason}", now))

    def note(self, replica: Replica, standing: Standing) -> None:
        """A replica stands differently from the next request on."""
        before, replica.standing = replica.standing, standing
        replica.failures = standing.failures
        if standing.ejected is before.ejected:
            return
        self._rotate()
        where = f"{replica.name} ({self.variant} of {self.experiment})"
        if standing.ejected:
            replica.close_idle()
            log.warning("%s gets no requests: %s", where, standing.reason)
        else:
            log.info("%s answers and gets requests again", where)

    def _rotate(self) -> None:
        self.rotation = [replica for replica in self.replicas if not replica.standing.ejected]

    @property
    def spacious(self) -> bool:
        """Whether it may be given users of the other arm: not so many that its own would have to wait."""
        return self.healthy and 8 * self.in_flight < 7 * self.open

    def second(self, now: float, spill_open: bool) -> None:
        """A second has passed; `spill_open` tells whether the other arm may be given users of this one."""
        if self.overload.second(now, sum(self.e2e.counts), self.e2e.total, spill_open):
            self.overload.ask(self.rotation, now)

    def counters(self) -> ArmCounters:
        """As the control socket shows it."""
        return ArmCounters(
            generation=self.generation,
            requests=self.requests,
            errors=self.errors,
            cancelled=self.cancelled,
            in_flight=self.in_flight,
            retries=self.retries,
            overload=self.overload.counters(),
            replicas=tuple(replica.status() for replica in self.replicas + self.draining),
            ttft=self.ttft.counted(),
            itl=self.itl.counted(),
            e2e=self.e2e.counted(),
        )
