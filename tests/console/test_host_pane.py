"""Pane 2: the cursor over the engines, what is asked for, what is said when it is not answered."""

from __future__ import annotations

import pytest

from quantdeck_console.link.history_client import MOST_SERIES, history
from quantdeck_console.model.asked import Asked
from quantdeck_console.model.glyphs import UNICODE
from quantdeck_console.model.host_pane import Answers, host_pane_lines
from quantdeck_console.model.text import plain, width_of
from quantdeck_console.model.trends import series_of, trends
from quantdeck_console.widgets.lines import Lines
from quantdeck_core.errors import UnreachableError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.engine import EngineDetail
from quantdeck_core.protocol.events import AlarmEvent, EngineEvent, EngineGone, OperationEvent, SampleEvent
from quantdeck_core.protocol.experiment import TimelineEntry
from quantdeck_core.protocol.history import SeriesList
from quantdeck_core.protocol.host import Alarm, HostStatus, LostGpu, Temperature
from support.decks import Deck, running
from support.fake_link import FakeLink
from support.fleets import NOW, engine, failed_engine, rack, replace, rolled_back, sample, van
from support.machines import answering, detail, engines, gpu, in_trouble, machine, restarting, server, stopped
from support.machines import history as history_answer
from support.waiting import eventually


def cursor(deck: Deck) -> str:
    return next((line[1:].split()[0] for line in deck.text.splitlines() if line.startswith("▌")), "")


def lines_of(status: HostStatus, width: int = 80, height: int = 24) -> list[str]:
    view = HostView(name=status.name, link=LinkChange(state="connected"), status=status, heard_at=NOW, linked_at=NOW)
    return [plain(one) for one in host_pane_lines(view, NOW, width, height, UNICODE, "", Answers())]


async def open_host(deck: Deck) -> None:
    await deck.press("2")
    await deck.shows("agent 0.1.0")


async def test_the_cursor_moves_over_the_engines_and_then_the_page_scrolls() -> None:
    async with running(answering(server())) as deck:
        await open_host(deck)
        assert cursor(deck) == "chat-bf16"
        for key, name in (("j", "chat-awq"), ("down", "code-fp8"), ("k", "chat-awq"), ("k", "chat-bf16")):
            await deck.press(key)
            assert cursor(deck) == name, key
        await deck.press("k")
        assert cursor(deck) == "chat-bf16"
        await deck.press(*"jjjjjjjjj")
        assert cursor(deck) == "vision"
        assert "gpu-1  OK" in deck.text
        await deck.press("j")
        assert "gpu-1  OK" not in deck.text
        await deck.press("G")
        await deck.shows("RECENT")
        assert cursor(deck) == ""
        await deck.press("k")
        assert cursor(deck) == ""
        await deck.press("g")
        await deck.shows("gpu-1  OK")
        assert cursor(deck) == "vision"


async def test_a_cursor_that_was_never_moved_is_on_the_worst_engine_and_a_moved_one_stays() -> None:
    async with running(answering(server())) as deck:
        await open_host(deck)
        dead = replace(failed_engine(), name="tools", pid=None)
        deck.link.say("gpu-1", EngineEvent(revision=2, engine=dead))
        await deck.shows("failed x")
        assert cursor(deck) == "tools"
        await deck.press("j")
        assert cursor(deck) == "chat-bf16"
        deck.link.say("gpu-1", EngineEvent(revision=3, engine=engine("tools")))
        await deck.hides("failed x")
        assert cursor(deck) == "chat-bf16"
        deck.link.say("gpu-1", EngineGone(revision=4, name="chat-bf16"))
        await eventually(lambda: cursor(deck) == "chat-awq")


async def test_each_engine_is_asked_about_when_the_cursor_comes_to_it() -> None:
    link = answering(server())
    second = engines()[1]
    link.pages[("gpu-1", "/v1/engines/chat-awq")] = UnreachableError("gpu-1 does not answer: reset.")
    async with running(link, size=(120, 36)) as deck:
        await open_host(deck)
        await deck.shows(
            "2 starts on record, the last 02:02:44, with another checkpoint", "-max-model-len 8192 -> 16384"
        )
        await deck.press("j")
        await deck.shows("chat-awq.2: ", "starts: not known: gpu-1 does not answer: reset.")
        assert "on record" not in deck.text
        link.pages[("gpu-1", "/v1/engines/code-fp8")] = EngineDetail(
            name="code-fp8", profile=None, replicas=(second,), starts=(), timeline=()
        )
        await deck.press("j")
        await deck.hides("not known")
        await deck.press("k", "k")
        await deck.shows("2 starts on record")


async def test_a_replica_is_asked_about_by_the_name_of_its_engine() -> None:
    twins = (engine("chat", pid=1), engine("chat/1", pid=2, generation=2))
    link = FakeLink(van(engines=twins))
    link.pages[("van-7", "/v1/engines/chat")] = detail(twins[0])
    async with running(link) as deck:
        await open_host(deck)
        await deck.press("j")
        assert cursor(deck) == "chat/1"
        await deck.shows("on record")


async def test_history_is_drawn_and_its_absence_is_said() -> None:
    link = answering(rack())
    async with running(link, size=(120, 36)) as deck:
        await open_host(deck)
        await deck.shows("LAST 10 MIN", "▃▄▅")
    async with running(FakeLink(rack()), size=(120, 36)) as deck:
        await open_host(deck)
        await deck.shows("no history: /v1/history is not there.")
        assert "LAST" not in deck.text


async def test_an_old_history_says_its_age() -> None:
    async with running(answering(rack()), size=(120, 36)) as deck:
        await open_host(deck)
        await deck.shows("LAST 10 MIN")
        deck.clock.now += 90
        deck.draw()
        await deck.shows("history of 90s ago")
        assert "LAST" not in deck.text


async def test_the_last_minutes_have_a_hole_where_nothing_was_read() -> None:
    async with running(answering(rack()), size=(120, 36)) as deck:
        await open_host(deck)
        await deck.shows("LAST 10 MIN")
        drawn = next(line for line in deck.text.splitlines() if line.startswith(" cpu   "))
        assert " " in drawn.rstrip()[-40:]


async def test_tab_goes_on_to_the_next_host_and_takes_its_experiment_along() -> None:
    async with running(FakeLink(rack(rolled_back()), van())) as deck:
        await deck.press("j", "enter")
        await deck.shows("van-7  OK")
        await deck.press("tab")
        await deck.shows("rack-1  FAIL x")
        await deck.press("R")
        await deck.shows("int4_v1 is rolled back already")
        await deck.press("tab")
        await deck.shows("van-7  OK")


async def test_the_sentence_of_the_host_is_copied() -> None:
    async with running(answering(in_trouble())) as deck:
        await open_host(deck)
        await deck.press("y")
        assert deck.app.clipboard.startswith("gpu-1 FAIL x: engine code-int4 failed: llama_model_load")


async def test_an_operation_is_followed_to_its_end() -> None:
    async with running(answering(server(operations=()))) as deck:
        await open_host(deck)
        assert "op-17" not in deck.text
        going = restarting()
        deck.link.say("gpu-1", OperationEvent(revision=2, operation=going))
        await deck.shows("op-17 restarts code-int4  3/9 load 45 %: loading weights, 5 of 11", ">load")
        failed = replace(going, state="failed", ended=NOW + 2, steps=(), error=failed_engine().error)
        deck.link.say("gpu-1", OperationEvent(revision=3, operation=failed))
        await deck.shows("failed after 43.0 s x", "has wrong shape", "Convert the checkpoint again")
        deck.link.say("gpu-1", SampleEvent(revision=4, sample=machine(t=NOW + 400)))
        await deck.hides("op-17")


async def test_alarms_stand_on_top_until_their_end_was_told() -> None:
    async with running(answering(server())) as deck:
        await open_host(deck)
        hot = Alarm(id=1, t=NOW, level="warn", text="GPU 5 is hot", hint="Check fans.", key="hot:gpu:GPU-5")
        deck.link.say("gpu-1", AlarmEvent(revision=2, alarm=hot))
        await deck.shows("! 02:17:44 GPU 5 is hot", "Check fans.", "WARN !")
        over = replace(hot, id=2, level="ok", text="GPU 5 is at 61 C again")
        deck.link.say("gpu-1", AlarmEvent(revision=3, alarm=over))
        await deck.hides("Check fans.")
        await deck.press("G")
        await deck.shows("over      GPU 5 is at 61 C again")


async def test_a_page_that_becomes_shorter_shows_its_end() -> None:
    async with running(answering(server())) as deck:
        await open_host(deck)
        await deck.press("G")
        await deck.shows("RECENT")
        for one in engines()[3:]:
            deck.link.say("gpu-1", EngineGone(revision=2, name=one.name))
        deck.draw()
        await deck.pilot.pause()
        shown, page = deck.text.splitlines()[1:-1], lines_of(server(engines=engines()[:3]))
        assert [line.split("  ")[0] for line in shown[-4:]] == [line.split("  ")[0] for line in page[-4:]]


async def test_ascii_mode_draws_only_ascii() -> None:
    from quantdeck_console.terminal import Display

    async with running(answering(in_trouble()), display=Display(ascii=True, animations=False)) as deck:
        await open_host(deck)
        for words in ("FAIL x", "on record", "RECENT"):
            await deck.shows(words)
            assert deck.text.isascii()
            await deck.press("pagedown")


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_no_line_is_wider_than_the_screen(width: int) -> None:
    for status in (server(), in_trouble(), rack(), van(engines=())):
        view = HostView(name="h", link=LinkChange(state="connected"), status=status, heard_at=NOW, linked_at=NOW)
        for one in host_pane_lines(view, NOW, width, 24, UNICODE, "", Answers()):
            assert width_of(one) <= width, plain(one)


def test_whose_memory_it_is() -> None:
    text = "\n".join(lines_of(in_trouble()))
    assert "code-fp8.3 41102 65.0 GiB, no engine of this agent 993 2.0 GiB" in text
    assert "3  LOST x  GPU is lost                              engines on it: code-int4" in text
    assert "3 uncorrectable memory errors x  broken memory waits for a reset !" in text
    assert "held back: hw-thermal !" in text
    assert "1g.10gb  1.0 GiB of 10.0 GiB  rerank.4 7" in text


def test_what_the_machine_lacks() -> None:
    troubled = machine(
        memory_used_bytes=1006 * 2**30,
        disk_free_bytes=2**29,
        throttled=("under-voltage",),
        memory_some_percent=60.0,
        memory_full_percent=31.0,
        gpus=(),
        gpu_note="no GPU: NVML library not found",
    )
    text = "\n".join(lines_of(server(sample=troubled)))
    for words in ("cpu 34% !", "ram 100% !", "disk 100% !", "under-voltage !", "31 % all do !", "100% !"):
        assert words in text, words


def test_a_bare_machine_says_only_what_it_knows() -> None:
    text = "\n".join(lines_of(van(sample=sample())))
    for words in ("swap", "models", "network", "heat", "pressure", "slowed"):
        assert words not in text
    assert "no GPU: NVML library not found" in text


async def test_equal_updates_repaint_nothing_and_a_new_figure_only_its_lines() -> None:
    async with running(answering(server())) as deck:
        await open_host(deck)
        await deck.shows("on record")
        painted: list[object] = []
        body = deck.screen.query_one("#body", Lines)
        refresh = body.refresh
        body.refresh = lambda *regions, **more: (painted.append(regions), refresh(*regions, **more))[1]  # type: ignore[method-assign]
        deck.link.say("gpu-1", SampleEvent(revision=2, sample=machine()))
        deck.draw()
        assert painted == []
        deck.link.say("gpu-1", EngineEvent(revision=3, engine=replace(engines()[4], tokens_per_s=17.0)))
        deck.draw()
        assert len(painted) == 2  # its row, and the sum of all


async def test_what_a_machine_and_its_engines_say_is_text() -> None:
    evil = "a[/oops]\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m\x85\u202eb"
    bad = machine(
        board=evil,
        driver=evil,
        throttled=(evil,),
        temperatures=(Temperature(name=evil, c=50.0),),
        gpus=(gpu(0, name=evil, throttle=(evil,)),),
        lost_gpus=(LostGpu(index=1, name=evil, note=evil),),
    )
    going = restarting(evil)
    going = replace(going, why=evil, forced=evil, steps=tuple(replace(one, detail=evil) for one in going.steps))
    name = evil.replace("/", "")  # a replica's name is asked for without what stands behind its slash
    one = replace(engines(1)[0], name=name, profile=evil, version=evil, url=evil, served_name=evil, hosts=(evil, evil))
    status = server(
        sample=bad,
        engines=(one,),
        operations=(going, replace(stopped(evil), state="failed", error=failed_engine().error)),
        alarms=(Alarm(id=1, t=NOW, level="fail", text=evil, hint=evil, key=evil),),
    )
    link = FakeLink(status)
    entry = TimelineEntry(t=NOW, kind=evil, text=evil, by=evil)
    link.pages["gpu-1", f"/v1/engines/{name}"] = replace(detail(one), timeline=(entry,))
    link.pages["gpu-1", "/v1/history"] = UnreachableError(evil)
    async with running(link, size=(120, 60)) as deck:
        await deck.press("2")
        await deck.shows("a[/oops]]52;c;ZXZpbA==[2J31mb", "on record")
        assert not any((ord(char) < 32 and char != "\n") or 0x7F <= ord(char) < 0xA0 for char in deck.text)
        await deck.press("y")
        assert "\x1b" not in deck.app.clipboard


async def test_more_series_than_one_question_takes_begin_with_the_same_step() -> None:
    names = tuple(f"engine/e{number}/tokens_per_s" for number in range(MOST_SERIES + 3))
    link = FakeLink(hosts=("h",))
    link.pages["h", "/v1/history"] = SeriesList(series=[*names, "host/load_1m"])
    first, rest = names[:MOST_SERIES], names[MOST_SERIES:]
    link.pages["h", f"/v1/history?series={','.join(first)}&since=-600&step=15"] = answer = history_answer(first)
    link.pages["h", f"/v1/history?series={','.join(rest)}&since={answer.start}&step=15"] = history_answer(rest)
    found = await link.ask("h", lambda client: history(client, (*names, "gpu/0/power_w"), 600, 15))
    assert (found.start, found.step, tuple(found.series)) == (answer.start, 15, names)


def test_gpu_memory_has_no_sum_where_one_gpu_was_not_read() -> None:
    status = server(sample=machine(gpus=(gpu(0), gpu(1))), engines=())
    points = history_answer(series_of(status))
    [_, _, first, second] = points.series.values()
    first.mean[-1] = None
    known = trends(Asked(value=points, at=NOW), status, NOW)
    assert known.gpu_memory is not None
    assert known.gpu_memory.values[-1] is None
    assert known.gpu_memory.values[0] == (first.mean[0] or 0.0) + (second.mean[0] or 0.0)
    assert known.tokens is None
