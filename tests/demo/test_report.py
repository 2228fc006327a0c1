import pytest
from msgspec.structs import replace

from quantdeck_core.errors import InputError
from quantdeck_demo.cli import parse_seconds
from quantdeck_demo.report import Report

GOOD = Report(
    hosts=2,
    engines_ready_s=0.5,
    requests=100,
    split_expected=0.125,
    split_measured=0.125,
    weight_change_ms=10.0,
    outputs_to_detection=50,
    detection_to_zero_ms=20.0,
    rolled_back=True,
    peak_rss_mib=500.0,
)


def test_a_good_run_holds() -> None:
    GOOD.judge()
    assert GOOD.not_held == []
    assert GOOD.lines()[-1] == "all of it held"


@pytest.mark.parametrize(
    "change",
    [
        {"hosts": 1},
        {"requests": 0},
        {"errors": {"HTTP 502": 1}},
        {"split_measured": 0.12},
        {"split_measured": None},
        {"split_mismatches": 1},
        {"weight_change_ms": 100.1},
        {"weight_change_ms": None},
        {"rolled_back": False},
        {"detection_to_zero_ms": 1000.1},
        {"detection_to_zero_ms": None},
        {"streams_broken": 1},
        {"peak_rss_mib": 1537.0},
        {"trouble": "the link broke"},
    ],
)
def test_whatever_does_not_hold_is_said(change: dict) -> None:
    report = replace(GOOD, **change)
    report.judge()
    assert len(report.not_held) == 1
    assert "DID NOT HOLD" in report.lines()[-1]


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90.0), ("2m", 120.0), ("45", 45.0), ("1.5m", 90.0)])
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-5s", "1h", "ten"])
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(InputError, match="not a length of time"):
        parse_seconds(text)
