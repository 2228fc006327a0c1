"""Who judges an experiment, and since when nobody does: pure functions of a lease and of seconds.

No judge, no experiment: a treatment whose answers nobody looks at goes to 0 until somebody does again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from quantdeck_core.protocol.gateway import LeaseStatus

LONGEST_LOOK_S = 3.0
"""A gap between two looks counts for no more: a gateway that was stopped itself has heard no renewal either."""


class Lease(NamedTuple):
    """One experiment's.

    Attributes:
        idle_s: seconds since the last renewal, as far as the gateway itself was awake.
    """

    idle_s: float = 0.0

    def aged(self, passed_s: float) -> Lease:
        """After some seconds without a renewal."""
        return Lease(self.idle_s + min(max(passed_s, 0.0), LONGEST_LOOK_S))

    def lapsed(self, seconds: float) -> bool:
        """Whether nobody has renewed it for so long."""
        return self.idle_s >= seconds


class Leases:
    """The leases of all experiments.

    Args:
        seconds: without a renewal, until one lapses; None where there are none and none ever lapses.
        now: monotonic clock, seconds.
        idle: seconds since the last renewal, where another process has counted them before.
    """

    def __init__(self, seconds: float | None, now: float, idle: Mapping[str, float] = MappingProxyType({})) -> None:
        self._seconds, self._looked = seconds, now
        self._leases = {name: Lease(idle_s) for name, idle_s in idle.items()}

    def idle(self) -> dict[str, float]:
        """Seconds since each was renewed, at the last look."""
        return {name: lease.idle_s for name, lease in self._leases.items()}

    def know(self, experiments: Iterable[str]) -> None:
        """Experiments of the config. A new one begins with a fresh lease; one that comes back has the old one."""
        for name in experiments:
            self._leases.setdefault(name, Lease())

    def look(self, now: float) -> frozenset[str]:
        """Names of the lapsed at a time."""
        passed, self._looked = now - self._looked, now
        self._leases = {name: lease.aged(passed) for name, lease in self._leases.items()}
        return self.lapsed()

    def lapsed(self) -> frozenset[str]:
        """Names of the lapsed at the last look."""
        if self._seconds is None:
            return frozenset()
        return frozenset(name for name, lease in self._leases.items() if lease.lapsed(self._seconds))

    def late(self) -> frozenset[str]:
        """Names of those that are half way there, the lapsed included."""
        if self._seconds is None:
            return frozenset()
        return frozenset(name for name, lease in self._leases.items() if lease.lapsed(self._seconds / 2))

    def renew(self, experiments: Iterable[str], now: float) -> dict[str, float]:
        """Somebody judges these; unknown names are passed over. Returns how long the lapses were that this ended."""
        self.look(now)
        lapsed, ended = self.lapsed(), {}
        for name in experiments:
            if name in lapsed:
                ended[name] = self._leases[name].idle_s - (self._seconds or 0.0)
            if name in self._leases:
                self._leases[name] = Lease()
        return ended

    def status(self, experiment: str, ended: dict[str, float] | None = None) -> LeaseStatus | None:
        """As the control socket shows it; `ended` as `renew` returned it."""
        lease = self._leases.get(experiment)
        if self._seconds is None or lease is None:
            return None
        return LeaseStatus(
            left_s=round(max(0.0, self._seconds - lease.idle_s), 3),
            lapsed=lease.lapsed(self._seconds),
            ended_s=round((ended or {}).get(experiment, 0.0), 3),
        )
