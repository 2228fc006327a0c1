from pathlib import Path

import pytest

from quantdeck_core.engines.metrics import Rate, parse_llamacpp


def test_metrics_are_read_and_what_is_missing_is_none() -> None:
    text = Path(__file__).with_name("llamacpp_metrics.txt").read_text()
    metrics = parse_llamacpp(text)
    assert (metrics.running, metrics.waiting) == (2, 1)
    assert metrics.generated_tokens == 1234.0
    assert parse_llamacpp("garbage\nx NaN\n").running is None


def test_a_rate_is_the_rise_of_a_total() -> None:
    rate = Rate(span_s=3.0)
    assert rate.add(0.0, 100.0) is None
    assert rate.add(1.0, 150.0) == pytest.approx(50.0)
    assert rate.add(2.0, 150.0) == pytest.approx(25.0)


def test_a_rate_starts_again_after_a_gap_or_a_restart() -> None:
    rate = Rate()
    rate.add(0.0, 100.0)
    rate.add(1.0, 200.0)
    assert rate.add(2.0, None) is None
    assert rate.add(3.0, 300.0) is None
    assert rate.add(4.0, 10.0) is None
    assert rate.add(5.0, 20.0) == pytest.approx(10.0)
