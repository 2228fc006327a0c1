"""Encoded event lines of a fleet that is played; values differ from one line to the next."""

from __future__ import annotations

import itertools
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))

from quantdeck_core.protocol.events import (
    EngineEvent,
    ExperimentEvent,
    GatewayEvent,
    Heartbeat,
    SampleEvent,
    Snapshot,
)
from quantdeck_core.protocol.host import HostStatus
from support.fleets import arm, engine, experiment, gateway, gpus, sample

VARIANTS = 40
ENGINES = ("control", "treatment", "chat-a", "chat-b", "code", "embed")


def host_names(count: int) -> tuple[str, ...]:
    return tuple(f"gpu-{number:04}" for number in range(count))


class Lines:
    """Made before anything is measured; each host has two GPUs, six engines, a gateway and an experiment."""

    def __init__(self) -> None:
        pick, now = random.Random(7), time.time()
        self._samples = [
            sample(t=now, cpu_percent=pick.uniform(5, 95), gpus=gpus(2, pick.uniform(0.2, 0.95)), gpu_note="")
            for _ in range(VARIANTS)
        ]
        self._engines = {
            name: [
                engine(name, tokens_per_s=pick.uniform(50, 5000), running=pick.randrange(64), waiting=pick.randrange(9))
                for _ in range(VARIANTS)
            ]
            for name in ENGINES
        }
        self._gateways = [gateway(rps=pick.uniform(1, 90), in_flight=pick.randrange(99)) for _ in range(VARIANTS)]
        self._experiments = [
            experiment(control=arm("control", 500 + n, ttft_p95_ms=pick.uniform(40, 400))) for n in range(VARIANTS)
        ]
        encode = msgspec.json.encode
        self.samples = [encode(SampleEvent(revision=2, sample=one)) for one in self._samples]
        self.engines = [
            [encode(EngineEvent(revision=2, engine=one)) for one in self._engines[name]] for name in ENGINES
        ]
        self.gateways = [encode(GatewayEvent(revision=2, gateway=one)) for one in self._gateways]
        self.experiments = [encode(ExperimentEvent(revision=2, experiment=one)) for one in self._experiments]
        self.heartbeats = [encode(Heartbeat(revision=2))] * VARIANTS

    def snapshot(self, name: str, n: int) -> bytes:
        """Everything of a host."""
        status = HostStatus(
            name=name,
            agent_version="0.1.0",
            sample=self._samples[n % VARIANTS],
            engines=tuple(self._engines[one][(n + k) % VARIANTS] for k, one in enumerate(ENGINES)),
            gateway=self._gateways[n % VARIANTS],
            experiments=(self._experiments[n % VARIANTS],),
        )
        return msgspec.json.encode(Snapshot(revision=1, status=status))

    def everything(self, hosts: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Every kind of event of every host in turn, ten a turn; nothing stays as it is."""
        kinds = [self.samples, *self.engines, self.gateways, self.experiments, self.heartbeats]
        for turn in itertools.count():
            for kind in kinds:
                for n, host in enumerate(hosts):
                    yield host, kind[(turn + n * 7) % VARIANTS]

    def rows(self, hosts: Sequence[str], changing: int) -> Iterator[tuple[str, bytes]]:
        """Three events of every host in turn: all figures in the rows of some change, the others just are there."""
        figures = (self.samples, self.engines[0], self.experiments)
        for turn in itertools.count(1):
            for n, host in enumerate(hosts):
                for kind in figures if n < changing else (self.heartbeats,) * len(figures):
                    yield host, kind[(turn + n * 7) % VARIANTS]
