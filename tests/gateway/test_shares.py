"""Limits among workers, and counters of workers as one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.protocol.gateway import (
    Arm,
    ArmCounters,
    ExperimentRoute,
    GatewayConfig,
    Limits,
    Replica,
    ReplicaStatus,
    RouteStatus,
)
from quantdeck_gateway.messages import Report
from quantdeck_gateway.shares import part, share
from quantdeck_gateway.totals import total_metrics, total_report


@given(whole=st.integers(0, 100_000), workers=st.integers(1, 64))
def test_parts_add_up(whole: int, workers: int) -> None:
    parts = [part(whole, number, workers) for number in range(workers)]
    assert sum(parts) == whole
    assert max(parts) - min(parts) <= 1


def test_a_share_differs_in_its_limits_only() -> None:
    arm = Arm(replicas=(Replica(name="a", url="http://127.0.0.1:1"),), limits=Limits(max_in_flight=5, max_queue=1))
    config = GatewayConfig(
        revision=3, experiments=(ExperimentRoute(name="e", served_name="m", weight_bp=7, control=arm, treatment=Arm()),)
    )
    assert share(config, 0, 1) is config
    shares = [share(config, number, 2) for number in range(2)]
    assert [one.experiments[0].control.limits.max_in_flight for one in shares] == [3, 2]
    assert [one.experiments[0].control.limits.max_queue for one in shares] == [1, 0]
    assert {(one.revision, one.experiments[0].weight_bp, one.experiments[0].control.replicas) for one in shares} == {
        (3, 7, arm.replicas)
    }


def test_nobody_is_left_with_nothing() -> None:
    arm = Arm(limits=Limits(max_in_flight=1))
    config = GatewayConfig(experiments=(ExperimentRoute(name="e", served_name="m", control=arm, treatment=Arm()),))
    assert [share(config, number, 3).experiments[0].control.limits.max_in_flight for number in range(3)] == [1, 1, 1]


def _route(name: str, requests: int, replica: str, removed: bool) -> RouteStatus:
    arm = ArmCounters(
        requests=requests,
        errors=1,
        cancelled=0,
        in_flight=2,
        replicas=(ReplicaStatus(name=replica, in_flight=2, removed=removed, ejected="it hangs" if removed else ""),),
    )
    return RouteStatus(
        name=name, weight_bp=2500, effective_weight_bp=2500, latched=False, control=arm, treatment=arm, unkeyed=4
    )


def test_counters_are_added_and_settings_are_not() -> None:
    total = total_report(
        [
            Report((_route("e", 10, "a", False),), 1),
            Report((_route("e", 5, "a", True), _route("old", 1, "b", True)), 2),
        ]
    )
    first, old = total.routes
    assert (total.tee_dropped, first.weight_bp, first.unkeyed) == (3, 2500, 8)
    assert (first.control.requests, first.control.errors, first.control.in_flight) == (15, 2, 4)
    assert first.control.replicas == (ReplicaStatus(name="a", in_flight=4, removed=True, ejected="it hangs"),)
    assert old == _route("old", 1, "b", True)


def test_metrics_are_added_series_by_series() -> None:
    one = '# HELP n N.\n# TYPE n counter\nn{a="x 1"} 3\nn{a="y"} 1\n# HELP s_up S.\n# TYPE s_up gauge\ns_up 1\n'
    other = (
        '# HELP n N.\n# TYPE n counter\nn{a="z"} 5\nn{a="x 1"} 4\n'
        "# HELP s_up S.\n# TYPE s_up gauge\ns_up 0\n# HELP t T.\n# TYPE t histogram\nt_sum 0.250000\n"
    )
    assert total_metrics([one, other]) == (
        '# HELP n N.\n# TYPE n counter\nn{a="x 1"} 7\nn{a="y"} 1\nn{a="z"} 5\n'
        "# HELP s_up S.\n# TYPE s_up gauge\ns_up 0\n# HELP t T.\n# TYPE t histogram\nt_sum 0.250000\n"
    )
    assert total_metrics([one]) == one
