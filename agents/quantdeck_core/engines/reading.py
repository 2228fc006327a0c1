"""What is known of a running engine at one moment: its scrape, and what followed from those before it."""

from __future__ import annotations

import msgspec

from quantdeck_core.engines.latency import Latencies, LatencyWindow
from quantdeck_core.engines.metrics import EngineMetrics
from quantdeck_core.engines.rate import Rate


class EngineReading(msgspec.Struct, frozen=True, kw_only=True):
    """One engine.

    Attributes:
        tokens_per_s: generated, over the last seconds; `prompt_tokens_per_s` read.
        latencies: over the last minute.
        rss_bytes: of all its processes.
    """

    metrics: EngineMetrics = EngineMetrics()
    tokens_per_s: float | None = None
    prompt_tokens_per_s: float | None = None
    latencies: Latencies = Latencies()
    rss_bytes: int | None = None

    @property
    def kv_usage(self) -> float | None:
        """Share of the KV cache in use, to a tenth of a percent: more digits change all the time."""
        usage = self.metrics.kv_usage
        return None if usage is None else round(usage, 3)

    @property
    def ttft_p95_ms(self) -> float | None:
        """Time to first token, 95th percentile."""
        return self.latencies.ttft.p95_ms if self.latencies.ttft else None

    @property
    def itl_p95_ms(self) -> float | None:
        """Time between tokens, 95th percentile."""
        return self.latencies.itl.p95_ms if self.latencies.itl else None


class EngineWatch:
    """Readings of one process, one after the other."""

    def __init__(self) -> None:
        self._generated, self._prompted = Rate(), Rate()
        self._window = LatencyWindow()

    def add(self, now: float, metrics: EngineMetrics | None, rss_bytes: int | None) -> EngineReading:
        """The reading at a monotonic time, seconds.

        Args:
            metrics: None where the scrape failed.
        """
        scraped = metrics or EngineMetrics()
        return EngineReading(
            metrics=scraped,
            tokens_per_s=_rounded(self._generated.add(now, scraped.generated_tokens)),
            prompt_tokens_per_s=_rounded(self._prompted.add(now, scraped.prompt_tokens)),
            latencies=self._window.add(now, scraped),
            rss_bytes=rss_bytes,
        )


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 1)
