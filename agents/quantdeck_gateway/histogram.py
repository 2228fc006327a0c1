"""A histogram in Prometheus' sense."""

from __future__ import annotations

from bisect import bisect_left

from quantdeck_core.protocol.gateway import Histogram as Counts

TTFT_BOUNDS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
ITL_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5)
E2E_BOUNDS = (0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0)


class Histogram:
    """Counts of durations (seconds) below bounds."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def counted(self) -> Counts:
        """As the control socket shows it."""
        return Counts(bounds_s=self.bounds, counts=tuple(self.counts), total_s=self.total)

    def lines(self, name: str, labels: str) -> list[str]:
        """The series in Prometheus' text format; `labels` without braces."""
        lines, below = [], 0
        for bound, count in zip(self.bounds, self.counts, strict=False):
            below += count
            lines.append(f'{name}_bucket{{{labels},le="{bound:g}"}} {below}')
        below += self.counts[-1]
        lines.append(f'{name}_bucket{{{labels},le="+Inf"}} {below}')
        lines.append(f"{name}_sum{{{labels}}} {self.total:.6f}")
        lines.append(f"{name}_count{{{labels}}} {below}")
        return lines
