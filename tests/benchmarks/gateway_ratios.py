"""What the gateway costs beside nginx and beside a proxy in C that checks nothing, from one run of the comparison lab.

    python tests/benchmarks/gateway_ratios.py RESULT.json

`make bench-gateway` runs both. Only ratios within a run are compared: figures of two runs differ by what else the
machine did. Prints a line for each target, and exits with 1 where one is missed or was not measured.

The lab holds every gateway on one core. So "two workers" does not tell how much two cores serve: it tells what a
request costs where two processes share the sockets and the core, which is what a second worker must not make dearer.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

OURS, TWO_WORKERS = "quantdeck", "quantdeck2"
IDLE_STREAMS = 2000


class Target(NamedTuple):
    """One line of the result; `value` is None where it was not measured."""

    name: str
    value: float | None
    limit: float
    least: bool = True
    goal: float | None = None
    unit: str = ""
    excused: bool = False

    @property
    def met(self) -> bool:
        """Whether it holds; what was not measured does not."""
        if self.value is None:
            return False
        return self.excused or (self.value >= self.limit if self.least else self.value <= self.limit)

    def line(self) -> str:
        """As people read it."""
        sign = ">=" if self.least else "<="
        value = "not measured" if self.value is None else f"{self.value:.4g}{self.unit}"
        goal = "" if self.goal is None else f", goal {self.goal:g}"
        return f"{'ok  ' if self.met else 'MISS'} {self.name}: {value} ({sign} {self.limit:g}{self.unit}{goal})"


def targets(result: Mapping[str, Any]) -> list[Target]:
    """All targets, from what compare.py wrote."""
    summary, raw = result["summary"], result["raw"]

    def figure(gateway: str, name: str) -> float | None:
        value = summary.get(gateway, {}).get(name)
        return None if value is None else float(value)

    def ratio(name: str, to: str, of: str = OURS) -> float | None:
        ours, theirs = figure(of, name), figure(to, name)
        return ours / theirs if ours and theirs else None

    def idle(*path: str) -> float | None:
        values = []
        for one in raw.get(OURS, {}).get("idle", ()):
            for step in path:
                one = one.get(step) if isinstance(one, Mapping) else None
            if one is not None:
                values.append(float(one))
        return statistics.median(values) if values else None

    added, nginx = figure(OURS, "add_p50"), figure("nginx", "add_p50")
    ttft = idle("ttft_ms", "p99")
    return [
        Target("requests per CPU-second, x nginx", ratio("ns_req_core", "nginx"), 0.60, goal=0.75),
        Target("requests per CPU-second, x floor", ratio("ns_req_core", "floor"), 0.40),
        Target("events per CPU-second at 512 streams, proxy alone, x nginx", ratio("paced512_main", "nginx"), 0.85,
               goal=0.95),
        Target("events per CPU-second at 512 streams, with analyser, x nginx", ratio("paced512_core", "nginx"), 0.75,
               goal=0.85),
        Target("added p50 at 200 requests/s, or within 0.15 ms of nginx", added, 0.3, least=False, unit=" ms",
               excused=added is not None and nginx is not None and added <= nginx + 0.15),
        Target("memory with 2,000 idle streams", figure(OURS, "idle_pss"), 64, least=False, unit=" MB"),
        Target("of 2,000 idle streams answered", idle("status", "200"), IDLE_STREAMS),
        Target("TTFT p99 of 2,000 idle streams", None if ttft is None else ttft / 1000, 0.3, least=False, unit=" s"),
        Target("errors in all cases", figure(OURS, "errors"), 0, least=False),
        Target("requests per CPU-second of two workers on one core, x one", ratio("ns_req_core", OURS, TWO_WORKERS),
               0.9),
    ]  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """Print all lines."""
    found = targets(json.loads(Path(arguments[0]).read_text()))
    print("\n".join(one.line() for one in found))
    return 0 if all(one.met for one in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
