"""Pane 2 and the logs, as a person sees them, at both sizes."""

from __future__ import annotations

from quantdeck_core.errors import RemoteError, UnreachableError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.logs import LogLine, LogSource, LogSources
from support.decks import Deck, running
from support.fake_link import FakeLink
from support.fleets import NOW, rack, van
from support.machines import answering, in_trouble, server
from support.pictures import SIZES, Pictures


async def host(deck: Deck, *words: str) -> None:
    """Open the pane, and wait for what was asked for."""
    await deck.press("2")
    await deck.shows("agent 0.1.0", *words)
    deck.draw()
    await deck.pilot.pause()


@SIZES
async def test_calm_host(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(answering(rack()), size=size) as deck:
        await host(deck, "on record", "90 % of users are on it", "LAST")
        await picture(deck, "host-calm")


@SIZES
async def test_busy_host(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(answering(server()), size=size) as deck:
        await host(deck, "on record", "3/9 load 45 %: loading weights, 5 of 11")
        await picture(deck, "host-busy")
        await deck.press("pagedown")
        await deck.shows("GPUS  8 x NVIDIA H100", "chat-bf16.1 41100 65.0 GiB")
        await picture(deck, "host-busy-further")


@SIZES
async def test_host_in_trouble(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(answering(in_trouble()), size=size) as deck:
        await host(deck, "1 GPU LOST x", "does not answer: GPU is lost", "failed x")
        await picture(deck, "host-alarm")
        await deck.press("pagedown")
        await deck.shows("LOST x  GPU is lost", "engines on it: code-int4", "no engine of this agent 993 2.0 GiB")
        await picture(deck, "host-alarm-further")


@SIZES
async def test_stale_host(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(answering(server()), size=size) as deck:
        await host(deck, "on record")
        deck.link.say("gpu-1", LinkChange(state="lost", detail="the SSH connection was closed"))
        deck.clock.now += 48
        await deck.shows("STALE ?", "link lost, silent for 48s", "as last heard 48s ago:")
        await picture(deck, "host-stale")


@SIZES
async def test_host_without_engines(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(FakeLink(van(engines=())), size=size) as deck:
        await host(deck, "no engines here", "no history: ")
        await picture(deck, "host-empty")


@SIZES
async def test_host_that_was_never_reached(picture: Pictures, size: tuple[int, int]) -> None:
    link = FakeLink(hosts=("gpu-1",))
    async with running(link, size=size, ready="1 connecting") as deck:
        link.say("gpu-1", LinkChange(state="lost", detail="gpu-1 cannot be reached by SSH: timed out."))
        await deck.press("2")
        await deck.shows("not reached: gpu-1 cannot be reached by SSH", "It is tried again by itself")
        await picture(deck, "host-error")


def logs_of(status: EngineStatus) -> FakeLink:
    """An engine that has written, and goes on."""
    link = answering(server())
    source = f"engine:{status.name}.{status.generation}"
    live = [LogSource(source=one, live=True, size_bytes=4_096) for one in ("agent", "gateway", source)]
    link.pages[("gpu-1", "/v1/logs")] = LogSources(sources=tuple(live))
    old = [
        LogLine(source=source, old=True, text=f"INFO 06-01 02:1{number % 8}:07 loader: shard {number} of 40 [/done]")
        for number in range(40)
    ]
    new = [
        LogLine(source=source, t=NOW - 9, text="INFO Application startup complete."),
        LogLine(source=source, t=NOW - 4, text="WARNING KV cache is 94 % full: " + "preempting sequences, " * 9),
        LogLine(source=source, t=NOW - 3, withheld=2),
        LogLine(source=source, t=NOW - 2, lost=1_200, text="ERROR [/bold] NCCL timeout on rank 3"),
    ]
    link.streams[("gpu-1", f"/v1/logs/{source}")] = [*old, LogLine(source=source), *new]
    return link


@SIZES
async def test_logs(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(logs_of(server().engines[0]), size=size) as deck:
        await host(deck, "on record")
        await deck.press("l")
        await deck.shows("chat-bf16  2/4", "following", "ERROR [/bold] NCCL timeout on rank 3", "1,200 lines lost")
        await picture(deck, "logs-following")
        await deck.press("k", "k", "k", "k")
        await deck.shows("HELD !")
        await picture(deck, "logs-held")
        await deck.press("f", "slash", *"error", "enter")
        await deck.shows("filter: error  1 line")
        await picture(deck, "logs-filtered")


@SIZES
async def test_a_log_in_which_nothing_is_written_yet(picture: Pictures, size: tuple[int, int]) -> None:
    link = logs_of(server().engines[0])
    source = "engine:chat-bf16.1"
    link.streams[("gpu-1", f"/v1/logs/{source}")] = [LogLine(source=source)]
    async with running(link, size=size) as deck:
        await host(deck, "on record")
        await deck.press("l")
        await deck.shows("chat-bf16  2/4", "following")
        await picture(deck, "logs-empty")


@SIZES
async def test_logs_of_a_host_that_is_lost(picture: Pictures, size: tuple[int, int]) -> None:
    link = logs_of(server().engines[0])
    async with running(link, size=size) as deck:
        await host(deck, "on record")
        await deck.press("l")
        await deck.shows("NCCL timeout")
        lost = UnreachableError("gpu-1 does not answer: reset.", "")
        link.pages[("gpu-1", "/v1/logs")] = lost
        await link.feeds[("gpu-1", "/v1/logs/engine:chat-bf16.1")].put(lost)
        await deck.shows("link lost: gpu-1 does not answer: reset. Trying again.")
        await picture(deck, "logs-lost")


@SIZES
async def test_stop_dialog(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(answering(server()), size=size) as deck:
        await host(deck, "on record")
        await deck.press("j", "s")
        await deck.dialog("form")
        await deck.shows("30 % of users are on it: it is the treatment of chat_awq_v2", "chat_awq_v2 is rolled back")
        await picture(deck, "dialog-stop")


@SIZES
async def test_restart_dialog_with_a_refusal(picture: Pictures, size: tuple[int, int]) -> None:
    link = answering(server())
    async with running(link, size=size) as deck:
        await host(deck, "on record")
        info = UnreachableError("x", "").info()
        info = type(info)(
            code="no-room-beside", title="No room for both",
            detail="chat-bf16 cannot be replaced while it serves: GPU 0 has 7.0 GiB free, and 68.0 GiB are needed.",
            hint="--swap ends it first: nobody is served by it for about 83 s.",
        )  # fmt: skip
        link.answers["gpu-1"] = [RemoteError(info, 409)]
        await deck.press("r")
        await deck.dialog("form")
        await deck.press("y")
        await deck.shows("x No room for both", "--swap ends it first")
        await picture(deck, "dialog-restart-refused")
