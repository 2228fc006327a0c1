"""What engines say of themselves."""

from __future__ import annotations

import asyncio

import pytest

from quantdeck_gateway.pressure import PAGE_BYTES, Gauge, Reading, Window, ask, pressed, read_reading

VLLM = b"""# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 41.0
vllm:num_requests_waiting{engine="0",model_name="m"} 3.0
vllm:num_requests_waiting{engine="1",model_name="m"} 4.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 3.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.97
"""
LLAMACPP = b"""# HELP llamacpp:requests_deferred Number of requests deferred.
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred 5
"""
GET = b"GET /metrics HTTP/1.0\r\nhost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("page", "reading"),
    [
        (VLLM, Reading(7, 0.97)),
        (LLAMACPP, Reading(5, 0.0)),
        (b"", Reading()),
        (b"\xff\nvllm:num_requests_waiting NaN\nvllm:kv_cache_usage_perc", Reading()),
    ],
)
def test_pages(page: bytes, reading: Reading) -> None:
    assert read_reading(page) == reading


def test_one_reading_with_a_queue_is_a_burst_and_two_are_too_much() -> None:
    gauge = Gauge()
    gauge.read(Reading(waiting=9))
    assert not gauge.full
    gauge.read(Reading(waiting=1))
    assert gauge.full
    gauge.read(Reading())
    assert not gauge.full


def test_a_full_cache_is_too_much_at_once() -> None:
    gauge = Gauge()
    gauge.read(Reading(kv_usage=0.96))
    assert gauge.full


def test_an_arm_is_full_when_half_of_its_engines_are() -> None:
    full, calm = Gauge(), Gauge()
    full.read(Reading(kv_usage=1.0))
    assert pressed([full, calm])
    assert not pressed([full, calm, calm])
    assert not pressed([])


def test_the_window_shrinks_to_what_runs_and_comes_back() -> None:
    window = Window(4096)
    sizes = []
    for _ in range(20):
        window.second(True, in_flight=min(100, window.room), waiting=min(100, window.room) - 40)
        sizes.append(window.room)
    assert sizes[:3] == [70, 55, 47]
    assert sizes[-1] == 40  # that many run: they were never too many
    for _ in range(200):
        window.second(False, in_flight=40, waiting=0)
        assert window.room >= sizes[-1]
        sizes.append(window.room)
    assert sizes[20] == 43
    assert sizes[-1] == 4096


def test_a_full_cache_holds_the_window_where_it_is() -> None:
    window = Window(64)
    for _ in range(5):
        window.second(True, in_flight=30, waiting=0)
    assert window.room == 30


def test_the_window_never_closes() -> None:
    window = Window(4)
    for _ in range(50):
        window.second(True, in_flight=window.room, waiting=window.room)
    assert window.room == 1


def test_another_limit_holds_at_once() -> None:
    window = Window(8)
    window.resize(16)
    assert window.room == 16
    window.second(True, in_flight=10, waiting=0)
    window.resize(32)
    assert window.room == 10  # the engines' word counts more
    window.resize(4)
    assert window.room == 4


@pytest.mark.parametrize(
    ("answer", "reading"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n" + VLLM, Reading(7, 0.97)),
        (b"HTTP/1.0 200 OK\r\n\r\n" + LLAMACPP, Reading(5, 0.0)),
        (b"HTTP/1.1 404 Not Found\r\n\r\n" + VLLM, None),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (PAGE_BYTES + 1), None),
        (b"", None),
    ],
)
async def test_asking(answer: bytes, reading: Reading | None) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readuntil(b"\r\n\r\n") == GET
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        assert await ask("127.0.0.1", server.sockets[0].getsockname()[1], GET) == reading


async def test_an_engine_that_does_not_answer_says_nothing(free_port: int) -> None:
    assert await ask("127.0.0.1", free_port, GET) is None
