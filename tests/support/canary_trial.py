"""An experiment whose arms are engines on loopback, and the runners that ask them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from quantdeck_agent.canaries.arm import CanaryLimits
from quantdeck_agent.canaries.latency import LatencyRunner
from quantdeck_agent.canaries.runner import CanaryRunner
from quantdeck_agent.canaries.target import ArmLoad, ArmTarget, CanaryTarget
from quantdeck_agent.store import Store
from quantdeck_core.canary.report import CanaryReport
from quantdeck_core.canary.settings import CanarySettings
from quantdeck_core.protocol.gateway import VariantName


class Trial:
    """An experiment `e` under a runner, and what a test changes of it."""

    def __init__(self, state: Path) -> None:
        self.state, self.store = state, Store(state)
        self.target: CanaryTarget | None = None
        self.load = dict[VariantName, ArmLoad]()
        self.asked = False
        """The load was looked at: engines are being asked."""
        self.told: list[tuple[str, CanaryReport]] = []
        self.limits = CanaryLimits(request_s=10, arm_s=60)
        self.begin()

    def begin(self) -> None:
        """As an agent that starts."""
        turn = asyncio.Lock()
        self.runner = CanaryRunner(
            self.store, lambda: ("e",), lambda _: self.target, self._load, self._tell, turn, self.limits
        )
        self.latencies = LatencyRunner(self.store, lambda _: self.target, self._load, turn)

    def _load(self, experiment: str, variant: VariantName) -> ArmLoad:
        assert experiment == "e"
        self.asked = True
        return self.load.get(variant, ArmLoad())

    async def _tell(self, experiment: str, report: CanaryReport) -> None:
        self.told.append((experiment, report))

    async def again(self) -> None:
        """Another agent on the same state."""
        await self.close()
        self.store = Store(self.state)
        self.begin()

    async def close(self) -> None:
        await self.runner.close()
        await self.latencies.close()
        self.store.close()

    def limited(self, **limits: float) -> None:
        self.limits = msgspec.structs.replace(self.limits, **limits)
        self.store.close()
        self.store = Store(self.state)
        self.begin()

    def serve(
        self, control: str, treatment: str, *, epochs: tuple[int, int] = (1, 2), weight_bp: int = 0, **settings: object
    ) -> None:
        """Addresses of both arms."""
        self.target = CanaryTarget(
            settings=msgspec.convert(settings, CanarySettings),
            control=(_arm("control", control, epochs[0]),),
            treatment=(_arm("treatment", treatment, epochs[1]),),
            weight_bp=weight_bp,
        )


def _arm(variant: VariantName, url: str, epoch: int) -> ArmTarget:
    return ArmTarget(
        variant=variant, engine=f"{variant}.{epoch}", url=url, api_key=None, model="assistant", epoch=epoch
    )
