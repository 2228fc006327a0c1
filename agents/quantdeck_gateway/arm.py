"""One side of an experiment while the gateway runs: its replicas and what it counted."""

from __future__ import annotations

from quantdeck_core.protocol.gateway import Arm as ArmConfig
from quantdeck_core.protocol.gateway import ArmCounters, VariantName
from quantdeck_gateway.histogram import E2E_BOUNDS, ITL_BOUNDS, TTFT_BOUNDS, Histogram
from quantdeck_gateway.replica import Replica

CODE_CLASSES = ("broken", "1xx", "2xx", "3xx", "4xx", "5xx", "cancelled")
BROKEN, CANCELLED = 0, 6
"""Indexes into `CODE_CLASSES`; the others are the status divided by 100."""


class Arm:
    """Replicas and counters of a variant; it lives as long as the gateway, whatever the config says.

    Attributes:
        fields: header lines that every answer of this arm carries.
        draining: removed replicas that still answer.
        by_class: requests that ended, by `CODE_CLASSES`.
    """

    def __init__(self, experiment: str, variant: VariantName) -> None:
        self.experiment, self.variant = experiment, variant
        self.generation = 0
        self.fields = b""
        self.replicas: list[Replica] = []
        self.draining: list[Replica] = []
        self.requests = self.errors = self.cancelled = self.in_flight = 0
        self.by_class = [0] * len(CODE_CLASSES)
        self.ttft = Histogram(TTFT_BOUNDS)
        self.itl = Histogram(ITL_BOUNDS)
        self.e2e = Histogram(E2E_BOUNDS)

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
        self.generation = config.generation
        self.fields = f"x-quantdeck-variant: {self.variant}\r\nx-quantdeck-revision: {revision}\r\n".encode()

    def begin(self, replica: Replica) -> None:
        """A request goes to a replica."""
        self.in_flight += 1
        replica.in_flight += 1

    def end(self, replica: Replica) -> None:
        """Its answer ended, however."""
        self.in_flight -= 1
        replica.in_flight -= 1
        if replica.removed and not replica.in_flight and replica in self.draining:
            self.draining.remove(replica)

    def counters(self) -> ArmCounters:
        """As the control socket shows it."""
        return ArmCounters(
            requests=self.requests,
            errors=self.errors,
            cancelled=self.cancelled,
            in_flight=self.in_flight,
            replicas=tuple(replica.status() for replica in self.replicas + self.draining),
        )
