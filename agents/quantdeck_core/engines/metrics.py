"""What engines' Prometheus endpoints say, in one vocabulary."""

from __future__ import annotations

import msgspec

from quantdeck_core.engines.histogram import CumulativeHistogram
from quantdeck_core.engines.metrics_page import Family, Page, read_page
from quantdeck_core.engines.rate import Rate
from quantdeck_core.profile.names import LLAMACPP, VLLM, EngineKind

__all__ = ["EngineMetrics", "Rate", "read_metrics"]


class EngineMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """One scrape; None where the engine does not tell. An engine with several cores (data parallel) is one engine.

    Attributes:
        running: requests being answered; `waiting` wait for a place.
        kv_usage: share of the KV cache in use, 0 to 1; of several cores the fullest, since that one preempts.
        prompt_tokens, generated_tokens: totals since the engine started.
        preemptions: requests thrown out of the KV cache and begun again, total.
        finished: requests that ended, total by finish reason: `stop`, `length`, `abort`, `error`, `repetition`.
        ttft, itl, e2e, queue: seconds: first token, between tokens, whole requests, waiting for a place.
    """

    running: int | None = None
    waiting: int | None = None
    kv_usage: float | None = None
    prompt_tokens: float | None = None
    generated_tokens: float | None = None
    preemptions: float | None = None
    finished: dict[str, float] | None = None
    ttft: CumulativeHistogram | None = None
    itl: CumulativeHistogram | None = None
    e2e: CumulativeHistogram | None = None
    queue: CumulativeHistogram | None = None


# vLLM's names as of `vllm/v1/metrics/loggers.py`, 0.24 to 0.33; where two are given the first is today's.
_VLLM = {
    "vllm:num_requests_running": Family("running"),
    "vllm:num_requests_waiting": Family("waiting"),
    "vllm:kv_cache_usage_perc": Family("kv_usage", most=True),
    "vllm:gpu_cache_usage_perc": Family("kv_usage", most=True),
    "vllm:prompt_tokens_total": Family("prompt_tokens"),
    "vllm:generation_tokens_total": Family("generated_tokens"),
    "vllm:num_preemptions_total": Family("preemptions"),
    "vllm:request_success_total": Family("finished", by="finished_reason"),
    "vllm:time_to_first_token_seconds_bucket": Family("ttft", by="le"),
    "vllm:time_to_first_token_seconds_sum": Family("ttft_sum"),
    "vllm:inter_token_latency_seconds_bucket": Family("itl", by="le"),
    "vllm:inter_token_latency_seconds_sum": Family("itl_sum"),
    "vllm:e2e_request_latency_seconds_bucket": Family("e2e", by="le"),
    "vllm:e2e_request_latency_seconds_sum": Family("e2e_sum"),
    "vllm:request_queue_time_seconds_bucket": Family("queue", by="le"),
    "vllm:request_queue_time_seconds_sum": Family("queue_sum"),
}
# llama.cpp's, as of `tools/server/server-task.cpp`. Its averaged gauges reset on every scrape, so only totals are used.
_LLAMACPP = {
    "llamacpp:requests_processing": Family("running"),
    "llamacpp:requests_deferred": Family("waiting"),
    "llamacpp:kv_cache_usage_ratio": Family("kv_usage", most=True),  # until it left in 2025
    "llamacpp:prompt_tokens_total": Family("prompt_tokens"),
    "llamacpp:tokens_predicted_total": Family("generated_tokens"),
}


def read_metrics(engine: EngineKind, text: str) -> EngineMetrics:
    """Read an engine's `/metrics`; what is not there, or not a number, is missing."""
    if engine in VLLM:
        return _metrics(read_page(text, _VLLM, "vllm:"))
    if engine in LLAMACPP:
        return _metrics(read_page(text, _LLAMACPP, "llamacpp:"))
    # Somebody else's server: its page says which one it is.
    return read_metrics("vllm" if "\nvllm:" in text else "llama-server", text)


def _metrics(page: Page) -> EngineMetrics:
    usage = page.value("kv_usage")
    return EngineMetrics(
        running=page.whole("running"),
        waiting=page.whole("waiting"),
        kv_usage=usage if usage is not None and 0 <= usage <= 1 else None,
        prompt_tokens=page.value("prompt_tokens"),
        generated_tokens=page.value("generated_tokens"),
        preemptions=page.value("preemptions"),
        finished=page.by_label("finished"),
        ttft=page.histogram("ttft"),
        itl=page.histogram("itl"),
        e2e=page.histogram("e2e"),
        queue=page.histogram("queue"),
    )
