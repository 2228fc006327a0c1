"""Changes of the config: latch, weights, and who may still lower them when the disk is full."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.errors import ConflictError, InputError, NotFoundError
from quantdeck_core.protocol.gateway import (
    ApiKey,
    Arm,
    ExperimentRoute,
    GatewayConfig,
    Latch,
    Replica,
    SetWeight,
    Unlatch,
)
from quantdeck_gateway import change, config_file
from quantdeck_gateway.table import RoutingTable

_replace = msgspec.structs.replace
weights = st.integers(0, 10_000)


def config(weight_bp: int = 0, *, latched: bool = False, revision: int = 7, **more: object) -> GatewayConfig:
    arm = Arm(replicas=(Replica(name="r", url="http://h:1"),))
    route = ExperimentRoute(name="e", served_name="m", weight_bp=weight_bp, control=arm, treatment=arm, latched=latched)
    return GatewayConfig(revision=revision, experiments=(_replace(route, **more),))


def test_a_weight() -> None:
    changed = change.with_weight(config(100), SetWeight(experiment="e", weight_bp=200, revision=7))
    assert changed == config(200, revision=8)
    assert change.with_weight(config(100), SetWeight(experiment="e", weight_bp=200)) == changed
    assert change.with_weight(config(100), SetWeight(experiment="e", weight_bp=100)) == config(100)


def test_a_weight_based_on_what_no_longer_holds() -> None:
    with pytest.raises(ConflictError, match="You saw revision 6; revision 7 holds"):
        change.with_weight(config(), SetWeight(experiment="e", weight_bp=0, revision=6))


def test_an_experiment_that_is_not_there() -> None:
    for make in (
        lambda: change.with_weight(config(), SetWeight(experiment="f", weight_bp=1)),
        lambda: change.with_latch(config(), Latch(experiment="f")),
        lambda: change.without_latch(config(), Unlatch(experiment="f", reason="x")),
    ):
        with pytest.raises(NotFoundError):
            make()


def test_latching_and_lifting() -> None:
    latched = change.with_latch(config(5000), Latch(experiment="e"))
    assert latched == config(0, latched=True, revision=8)
    assert change.with_latch(latched, Latch(experiment="e")) == latched
    assert change.without_latch(latched, Unlatch(experiment="e", reason="mended")) == config(0, revision=9)


@given(weights, st.booleans(), st.booleans())
def test_a_latched_experiment_has_no_weight_whatever_is_sent(new: int, said: bool, lapsed: bool) -> None:
    current = config(0, latched=True)
    wanted = change.keep_latches(config(new, revision=8), current, {"e"} if said else ())
    try:
        change.require_allowed(wanted, current, {"e"} if lapsed else ())
    except ConflictError:
        assert new > 0
        assert lapsed or not said
    else:
        assert new == 0 or (said and not lapsed)
        assert wanted.experiments[0].latched is not said


@given(weights, weights)
def test_while_nobody_judges_weights_may_only_fall(old: int, new: int) -> None:
    change.require_allowed(config(new), config(old), ())
    if new > old:
        with pytest.raises(ConflictError, match="lease has lapsed"):
            change.require_allowed(config(new), config(old), {"e"})
    else:
        change.require_allowed(config(new), config(old), {"e"})


def test_an_experiment_that_was_taken_out_during_a_lapse_comes_back_without_a_weight() -> None:
    with pytest.raises(ConflictError):
        change.require_allowed(config(1), GatewayConfig(revision=6), {"e"})
    change.require_allowed(config(0), GatewayConfig(revision=6), {"e"})


def test_latched_with_a_weight_is_no_config() -> None:
    with pytest.raises(InputError, match="latched and has a weight"):
        config_file.check(config(1, latched=True))
    config_file.check(config(0, latched=True))


@pytest.mark.parametrize(("latch", "said"), [("", set()), (',"latched":true', {"e"}), (',"latched":false', {"e"})])
def test_what_a_config_says_of_latches(latch: str, said: set[str]) -> None:
    data = '{"experiments":[{"name":"e","served_name":"m","control":{},"treatment":{}' + latch + "}]}"
    assert config_file.decode_saying(data.encode())[1] == said


@pytest.mark.parametrize(
    ("old", "new", "lowers"),
    [
        (config(100), config(100), True),
        (config(100), config(99), True),
        (config(100), config(101), False),
        (config(100), config(0, treatment=Arm()), True),
        (config(100), config(99, treatment=Arm()), False),
        (config(100), config(0, control=Arm()), False),
        (config(100), config(0, latched=True), True),
        (config(0, latched=True), config(0, latched=True), True),
        (config(0, latched=True), config(0), False),
        (config(100), config(0, tester_header=True), False),
        (config(100), GatewayConfig(revision=8), False),
        (config(100), _replace(config(0), api_keys=(ApiKey(name="a", sha256="0" * 64),)), False),
    ],
)
def test_what_only_lowers_weights(old: GatewayConfig, new: GatewayConfig, *, lowers: bool) -> None:
    assert change.only_lowers(_replace(new, revision=8), old) is lowers


def test_a_latch_empties_the_pins_too() -> None:
    table = RoutingTable()
    table.apply(config(0, pinned={"ana": "treatment"}))
    assert table.live[0].assignment
    table.apply(config(0, latched=True, pinned={"ana": "treatment"}))
    assert table.live[0].assignment is None
