"""Testers, pinned users, and requests without a user."""

from __future__ import annotations

import hashlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.lab.process import Experiment, Gateway
from quantdeck_core.protocol.gateway import Arm, ExperimentRoute
from quantdeck_gateway.assignment import Assignment, assignment_of
from quantdeck_gateway.routing import place, variant_of

weights = st.integers(0, 10_000)
users = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


def lesson(experiment: str, user: bytes, weight_bp: int) -> str:
    number = int(hashlib.sha256(experiment.encode() + b":" + user).hexdigest(), 16) % 10_000
    return "treatment" if number < weight_bp else "control"


def assignment(**more: object) -> Assignment | None:
    route = ExperimentRoute(name="e", served_name="m", control=Arm(), treatment=Arm())
    return assignment_of(msgspec.structs.replace(route, **more), held=False)


def variant(it: Assignment | None, user: bytes = b"", weight_bp: int = 5000, **more: object) -> str:
    assert it
    asked: dict[str, object] = {"tester": b"", "request_id": b"r", "api_key": "", **more}
    return it.variant(place("e", user.decode()) if user else None, weight_bp, user, **asked)  # type: ignore[arg-type]


def test_nothing_to_look_at_is_nothing_to_pay_for() -> None:
    assert assignment() is None


@given(weights, st.binary(min_size=1, max_size=40))
def test_each_request_by_its_own_id(weight: int, request_id: bytes) -> None:
    it = assignment(unkeyed="request")
    assert variant(it, weight_bp=weight, request_id=request_id) == lesson("e", request_id, weight)


@given(weights, users)
def test_all_requests_of_a_key_together(weight: int, key: str) -> None:
    it = assignment(unkeyed="api_key")
    assert variant(it, weight_bp=weight, api_key=key) == lesson("e", key.encode(), weight)
    assert variant(it, weight_bp=weight) == "control"


@given(weights, users)
def test_who_has_an_id_goes_by_it(weight: int, user: str) -> None:
    for unkeyed in ("request", "api_key"):
        it = assignment(unkeyed=unkeyed)
        assert variant(it, user.encode(), weight, api_key="k") == variant_of(place("e", user), weight)


@pytest.mark.parametrize("weight", [0, 5000, 10_000])
def test_pinned_users_stay_where_they_are(weight: int) -> None:
    it = assignment(pinned={"ana": "treatment", "bø": "control"})
    assert variant(it, b"ana", weight) == "treatment"
    assert variant(it, "bø".encode(), weight) == "control"
    assert variant(it, b"ANA", weight) == lesson("e", b"ANA", weight)
    assert variant(it, weight_bp=weight) == "control"


def test_a_tester_chooses_where_that_is_allowed() -> None:
    it = assignment(tester_header=True, pinned={"ana": "treatment"})
    for chosen in ("control", "treatment"):
        assert variant(it, b"ana", tester=chosen.encode()) == chosen
        assert variant(it, tester=chosen.encode()) == chosen
    assert variant(it, b"ana", tester=b"Treatment?") == "treatment"
    assert variant(assignment(pinned={"ana": "treatment"}), b"ana", tester=b"control") == "treatment"


def test_while_everyone_is_held_on_the_control_only_testers_see_the_treatment() -> None:
    route = ExperimentRoute(
        name="e", served_name="m", control=Arm(), treatment=Arm(), pinned={"ana": "treatment"}, tester_header=True
    )
    it = assignment_of(route, held=True)
    assert variant(it, b"ana", 0) == "control"
    assert variant(it, b"ana", 0, tester=b"treatment") == "treatment"
    assert assignment_of(msgspec.structs.replace(route, tester_header=False), held=True) is None


# Through a real gateway


async def test_a_tester_header_is_passed_over_where_it_is_off_and_never_forwarded(
    gateway: Gateway, experiment: Experiment
) -> None:
    for enabled in (False, True):
        await gateway.serve(msgspec.structs.replace(experiment.route(0), tester_header=enabled))
        headers = {"X-Quantdeck-Variant": "treatment", "x-user-id": "u"}
        reply = await gateway.ask("POST", "/v1/completions", b"{}", headers)
        assert reply.variant == ("treatment" if enabled else "control")
    seen = [head.lower() for head, _ in experiment.control.seen + experiment.treatment.seen]
    assert len(seen) == 2
    assert not any("x-quantdeck-variant" in head for head in seen)


async def test_pinned_users_by_header_and_by_body(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(msgspec.structs.replace(experiment.route(0), pinned={"ana": "treatment"}))
    assert (await gateway.chat(user="ana")).variant == "treatment"
    assert (await gateway.chat(user="ben")).variant == "control"
    reply = await gateway.ask("POST", "/v1/completions", json.dumps({"user": "ana"}).encode())
    assert reply.variant == "treatment"
    reply = await gateway.ask("POST", "/v1/completions", json.dumps({"user": "ana"}).encode(), {"x-user-id": "ben"})
    assert reply.variant == "control"  # the header goes first


async def test_requests_without_a_user_by_their_own_ids(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(msgspec.structs.replace(experiment.route(5000), unkeyed="request"))
    for number in range(40):
        request_id = f"request-{number}"
        reply = await gateway.ask("POST", "/v1/completions", b"{}", {"x-request-id": request_id})
        assert reply.variant == lesson(experiment.name, request_id.encode(), 5000)
    (route,) = (route for route in (await gateway.status()).routes if route.name == experiment.name)
    assert route.unkeyed == 40


async def test_requests_without_a_user_and_without_a_key_go_to_the_control(
    gateway: Gateway, experiment: Experiment
) -> None:
    await gateway.serve(msgspec.structs.replace(experiment.route(10_000), unkeyed="api_key"))
    assert (await gateway.ask("POST", "/v1/completions", b"{}")).variant == "control"
