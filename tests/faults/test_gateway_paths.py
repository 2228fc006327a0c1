"""Row 39: an engine's own paths are out of reach, however they are written."""

from __future__ import annotations

import pytest

from gateway.lab.process import Experiment, Gateway

ADMIN = (
    "pause", "sleep", "wake_up", "collective_rpc", "update_weights", "v1/load_lora_adapter", "v1/unload_lora_adapter",
    "slots", "props", "reset_prefix_cache", "shutdown",
)  # fmt: skip
TRICKS = (
    "/{}", "//{}", "/{}/", "/./{}", "/v1/../{}", "/v1/chat/completions/../../../{}", "/v1/chat/completions/{}",
    "/v1/chat/completions/%2e%2e/%2e%2e/%2e%2e/{}", "/v1/chat/completions%2f..%2f..%2f..%2f{}", "/v1%2f..%2f{}",
    "/v1/chat/completions;/../{}", "/v1/chat/completions/..;/{}", "/health/../{}", "/metrics/../{}", "/{}.", "/{};x",
    "/{}%20", "/{}%00", "/%2f{}", "/\\{}", "{}", "/{}?/v1/chat/completions", "/{}#/v1/chat/completions",
    "http://test/{}", "http://engine:8000/{}", "http://test//{}", "https://test/v1/chat/completions/../{}",
)  # fmt: skip
ALIKE = (
    "/v1/chat/completions/", "//v1/chat/completions", "/v1//chat/completions", "/V1/chat/completions",
    "/v1/Chat/Completions", "/v1/chat/completions.", "/v1/chat%2fcompletions", "/v1/chat/completion%73",
    "/v1/./chat/completions", "/v1/x/../chat/completions", "/v1/chat/completions;x", "/v1/chat/completions%00",
    "/v1/chat/completions%3f", "/v1/models/x", "/", "*", "http://test/v1/chat/completions",
)  # fmt: skip


@pytest.fixture
async def served(gateway: Gateway, experiment: Experiment) -> Experiment:
    await gateway.serve(experiment.route())
    return experiment


async def refused(gateway: Gateway, method: str, path: str) -> None:
    """404, or 400 where it is no request target at all."""
    reply = await gateway.ask(method, path, b"{}", {"x-user-id": "u"})
    assert reply.status in (400, 404), path
    assert reply.error in ("unknown_path", "bad_framing"), path


@pytest.mark.parametrize("admin", ADMIN)
async def test_admin_paths(gateway: Gateway, served: Experiment, admin: str) -> None:
    for trick in TRICKS:
        for spelt in (admin, admin.upper(), admin.replace("_", "%5f"), "%" + f"{ord(admin[0]):x}" + admin[1:]):
            await refused(gateway, "POST", trick.format(spelt))
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "PURGE"):
        assert (await gateway.ask(method, f"/{admin}", b"{}")).status == 404
    assert served.control.connections == 0


@pytest.mark.parametrize("path", ALIKE)
async def test_the_list_is_exact(gateway: Gateway, served: Experiment, path: str) -> None:
    await refused(gateway, "POST", path)
    assert served.control.connections == 0


async def test_methods_are_part_of_the_list(gateway: Gateway, served: Experiment) -> None:
    for method, path in (("GET", "/v1/chat/completions"), ("PUT", "/v1/completions"), ("OPTIONS", "/v1/embeddings"),
                         ("POST", "/health"), ("DELETE", "/v1/models")):  # fmt: skip
        assert (await gateway.ask(method, path)).status == 404
    assert served.control.connections == 0


async def test_a_query_stays_here(gateway: Gateway, served: Experiment) -> None:
    reply = await gateway.ask("POST", "/v1/chat/completions?x=/pause", b"{}", {"x-user-id": "u"})
    assert reply.status == 200
    assert served.control.seen[0][0].startswith("POST /v1/chat/completions HTTP/1.1\r\n")
