"""The word, the sentence, the order and the headline."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.fleet.headline import headline
from quantdeck_core.fleet.health import STALE_AFTER_S, WORDS, WORST_FIRST, health
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.rows import fleet_rows, host_row, level_counts, matches, quality
from quantdeck_core.fleet.state import FleetState, HostView
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.host import Alarm, HostStatus
from quantdeck_core.rollout.readiness import Readiness
from support.fleets import (
    NOW,
    alarm,
    arm,
    engine,
    experiment,
    failed_engine,
    gateway,
    gpu_host,
    rack,
    replace,
    rolled_back,
    sample,
    van,
)

CONNECTED = LinkChange(state="connected", role="operator")


def view(status: HostStatus | None = None, *, ago: float = 0.0, link: LinkChange = CONNECTED) -> HostView:
    heard_at = NOW - ago if status else None
    return HostView(name="rack-1", link=link, status=status, linked_at=NOW - ago, heard_at=heard_at)


def said(status: HostStatus) -> tuple[str, str]:
    finding = health(view(status), NOW)
    return finding.level, finding.sentence


def with_experiment(one: ExperimentStatus) -> tuple[str, str]:
    return said(rack(one))


def fleet(*statuses: HostStatus) -> FleetState:
    return FleetState(
        hosts={
            one.name: HostView(name=one.name, link=CONNECTED, status=one, linked_at=NOW, heard_at=NOW)
            for one in statuses
        }
    )


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def test_words_carry_a_glyph_unless_all_is_well() -> None:
    assert set(WORDS) == set(WORST_FIRST)
    assert [WORDS[level] for level in WORST_FIRST] == ["FAIL x", "STALE ?", "WARN !", "...", "OK"]


@pytest.mark.parametrize(
    ("link", "ago", "level", "text"),
    [
        (LinkChange(state="connecting"), None, "connecting", "connecting"),
        (LinkChange(state="connecting", detail="try 3"), None, "connecting", "connecting: try 3"),
        (CONNECTED, None, "connecting", "connected, waiting for its first report"),
        (LinkChange(state="lost", detail="no route"), None, "stale", "not reached: no route"),
        (LinkChange(state="refused", detail="host key"), None, "fail", "connection refused: host key"),
        (LinkChange(state="lost", detail="reset"), 48, "stale", "link lost, silent for 48s: reset"),
        (LinkChange(state="connecting"), 48, "stale", "connecting again, silent for 48s"),
        (CONNECTED, STALE_AFTER_S + 1, "stale", "connected, but silent for 13s"),
        (CONNECTED, STALE_AFTER_S, "ok", "1 of 1 engines ready"),
    ],
)
def test_the_link(link: LinkChange, ago: float | None, level: str, text: str) -> None:
    finding = health(view(van() if ago is not None else None, ago=ago or 0.0, link=link), NOW)
    assert (finding.level, finding.text) == (level, text)


def test_a_link_that_is_lost_after_a_rollback_still_says_it() -> None:
    finding = health(view(rack(rolled_back()), ago=20, link=LinkChange(state="lost")), NOW)
    assert finding.level == "stale"
    assert "before that int4_v1: rolled back 02:17:31" in finding.text


def test_rolled_back_is_the_first_thing_to_say() -> None:
    level, text = with_experiment(rolled_back())
    assert level == "fail"
    assert text == "int4_v1: rolled back 02:17:31: 47.1% of answers loop, limit 15%, 117.6x the control"


def test_a_breach_that_was_not_rolled_back_fails_only_while_somebody_is_on_it() -> None:
    broken = arm("treatment", 100, loops=50)
    assert with_experiment(experiment(treatment=broken))[0] == "fail"
    assert "and 10 % of users are still on it" in with_experiment(experiment(treatment=broken))[1]
    assert with_experiment(experiment(treatment=broken, weight_bp=0))[0] == "ok"


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (experiment(control=arm("control", 500, ready=False)), "the control is not ready, and 90 % of users are on it"),
        (
            experiment(treatment=arm("treatment", 131, ready=False)),
            "the treatment is not ready, and 10 % of users are on it",
        ),
        (experiment(rollback=Readiness(can=False, why="no room")), "cannot roll back: no room"),
        (experiment(effective=False), "the gateway has not acknowledged 10 % yet"),
        (experiment(treatment=arm("treatment", 131, loops=12)), "loops +8.8 points over the control"),
    ],
)
def test_what_could_go_wrong_next_warns(one: ExperimentStatus, text: str) -> None:
    assert with_experiment(one) == ("warn", f"int4_v1: {text}")
    assert quality(one) == "warn"


def test_without_users_on_it_an_unready_arm_is_nothing_to_warn_of() -> None:
    starting = experiment(weight_bp=0, treatment=arm("treatment", 0, ready=False))
    assert with_experiment(starting) == ("ok", "int4_v1: everyone is on the control")


def test_engines_gateway_and_alarms() -> None:
    assert said(van(engines=(failed_engine(),)))[0] == "fail"
    assert said(van(engines=(engine("edge", state="warming"),))) == ("ok", "edge is warming up")
    assert said(van(engines=())) == ("ok", "no engines")
    assert said(rack(gateway=gateway(running=False, detail="refused"))) == (
        "fail",
        "the gateway does not answer: refused",
    )
    assert said(van(alarms=(alarm(1, "disk"),)))[0] == "fail"
    assert said(van(alarms=(Alarm(id=1, t=NOW, level="warn", text="slow"),))) == ("warn", "slow")
    assert said(van(alarms=(Alarm(id=1, t=NOW - 301, level="fail", text="old"),)))[0] == "ok"


def test_rows_are_worst_first_then_by_name_as_people_count() -> None:
    names = ["gpu-10", "gpu-9", "van-2", "a"]
    state = fleet(*(van(name=name) for name in names), rack(rolled_back()))
    assert [row.name for row in fleet_rows(state, NOW)] == ["rack-1", "a", "gpu-9", "gpu-10", "van-2"]
    assert level_counts(fleet_rows(state, NOW)) == {"fail": 1, "ok": 4}


@given(st.permutations([van(name=f"host-{number}") for number in range(6)]))
def test_the_order_does_not_depend_on_the_file(hosts: list[HostStatus]) -> None:
    assert [row.name for row in fleet_rows(fleet(*hosts), NOW)] == [f"host-{number}" for number in range(6)]


def test_a_row_holds_the_hosts_numbers() -> None:
    row = host_row(view(rack()), NOW)
    assert (row.tokens_per_s, row.running, row.waiting, row.ttft_p95_ms) == (663.0, 4, 0, 48.0)
    assert row.quality == "ok"
    assert row.memory is not None
    assert row.memory.gpus == 0
    assert row.age_s is None


def test_ttft_counts_only_arms_with_users() -> None:
    slow = arm("treatment", 131, ttft_p95_ms=900.0)
    assert host_row(view(rack(experiment(treatment=slow))), NOW).ttft_p95_ms == 900.0
    assert host_row(view(rack(experiment(treatment=slow, weight_bp=0))), NOW).ttft_p95_ms == 48.0


def test_gpu_memory_counts_before_ram() -> None:
    row = host_row(view(gpu_host()), NOW)
    assert row.memory is not None
    assert row.memory.gpus == 2
    assert row.memory.total_bytes == 160 * 2**30


@pytest.mark.parametrize(("ago", "shown"), [(0.0, None), (2.0, None), (2.1, 2), (48.9, 48)])
def test_an_age_is_shown_once_it_is_older_than_two_refreshes(ago: float, shown: int | None) -> None:
    assert host_row(view(van(), ago=ago), NOW).age_s == shown


def test_stale_rows_hold_no_numbers() -> None:
    row = host_row(view(rack(), ago=60, link=LinkChange(state="lost")), NOW)
    assert (row.memory, row.tokens_per_s, row.quality, row.ttft_p95_ms, row.age_s) == (None, None, None, None, 60)


def test_quality_is_unknown_without_enough_answers() -> None:
    assert quality(experiment(treatment=arm("treatment", 12))) == "unknown"
    assert quality(rolled_back()) == "fail"
    assert quality(experiment()) == "ok"


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("", True),
        ("!", True),
        ("RACK", True),
        ("fail", True),
        ("loop rack", True),
        ("!fail", False),
        ("!ok", True),
        ("van", False),
    ],
)
def test_filters(pattern: str, found: bool) -> None:
    assert matches(host_row(view(rack(rolled_back())), NOW), pattern) == found


def sentence(state: FleetState) -> str:
    return headline(state, fleet_rows(state, NOW)).sentence


def test_the_headline_says_the_worst_or_that_all_is_quiet() -> None:
    assert sentence(fleet(rack(), van())) == "all quiet: 2 hosts, 3 engines ready"
    assert sentence(fleet(rack(rolled_back()), van())).startswith("x rack-1  int4_v1: 47.1% of answers loop")
    assert sentence(fleet(rack(rolled_back()), gpu_host())).endswith("(and 1 more host)")
    assert sentence(FleetState.of(["a", "b"])) == "connecting to 2 hosts"
    warming = van(engines=(engine("edge", state="warming"),))
    assert sentence(fleet(rack(), warming)) == "2 hosts, 2 of 3 engines ready"
    assert sentence(fleet(van(engines=()))) == "1 host, nothing is deployed yet"
    half = FleetState(hosts={**fleet(van()).hosts, "b": HostView(name="b")})
    assert sentence(half) == "1 of 2 hosts connected, 1 engine ready"


def test_an_agent_without_a_clock_like_ours_does_not_age_its_alarms() -> None:
    early = replace(sample(), t=NOW - 86_400)
    status = van(sample=early, alarms=(Alarm(id=1, t=NOW - 86_400, level="warn", text="slow"),))
    assert said(status)[0] == "warn"
