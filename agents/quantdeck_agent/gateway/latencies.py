"""How long each arm's users wait: what the gateway's status tells of it, read whenever it is asked for anyway."""

from __future__ import annotations

from quantdeck_core.engines.arm_window import ArmWindow
from quantdeck_core.protocol.distributions import ArmDistributions
from quantdeck_core.protocol.gateway import GatewayStatus


class ArmLatencies:
    """Windows of both arms of each experiment that the gateway serves. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._arms: dict[str, tuple[ArmWindow, ArmWindow]] = {}
        self._read: float | None = None

    def read(self, status: GatewayStatus, now: float) -> None:
        """What it tells now; an experiment that it no longer serves is forgotten."""
        self._read = now
        self._arms = {route.name: self._arms.get(route.name) or (ArmWindow(), ArmWindow()) for route in status.routes}
        for route in status.routes:
            control, treatment = self._arms[route.name]
            control.add(now, route.control)
            treatment.add(now, route.treatment)

    def age_s(self, now: float) -> float | None:
        """Seconds since it told anything; None where it never did."""
        return None if self._read is None else now - self._read

    def of(self, experiment: str) -> tuple[ArmDistributions | None, ArmDistributions | None]:
        """Control and treatment, None where the gateway has told nothing of them."""
        arms = self._arms.get(experiment)
        return (arms[0].told(), arms[1].told()) if arms else (None, None)
