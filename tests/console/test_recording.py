"""What is written while a console runs, and what is not."""

from __future__ import annotations

import asyncio
import gzip
import os
import stat
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quantdeck_console.recording import recorder as recorder_module
from quantdeck_console.recording.recorder import Recorder, RecordingStoppedError
from quantdeck_console.recording.recording_link import RecordingLink
from quantdeck_console.recording.records import Answered, EventHeard, LinkHeard, LogHeard, Lost, RecordingError
from quantdeck_console.recording.tape import Tape
from quantdeck_core.errors import RemoteError, UnreachableError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.incident.replay import Replayed, ReplayReport
from quantdeck_core.protocol.alerts import PageList
from quantdeck_core.protocol.canary import Ask, Asked, AskedArm
from quantdeck_core.protocol.events import Heartbeat
from quantdeck_core.protocol.incident import ReplayAsk
from quantdeck_core.protocol.logs import LogLine
from quantdeck_core.protocol.requests import ChangeWeight, Rollback
from quantdeck_core.rollout.who import WhoAnswer
from support.decks import running
from support.fake_link import FakeLink
from support.fleets import NOW, rack, van
from support.recordings import at, recorded
from support.waiting import eventually

SECRET = "my address is 12 Elm Street"


def records(path: Path) -> list[Any]:
    entries = list(Tape(path).entries())
    assert [entry.damage for entry in entries if entry.record is None] == []
    return [entry.record for entry in entries]


class Recording:
    """A link to a fake fleet with a recorder around it."""

    def __init__(self, path: Path, *statuses: Any) -> None:
        self.fake = FakeLink(*statuses)
        self.recorder = Recorder(path, self.fake.hosts, lambda: NOW)
        self.link = RecordingLink(self.fake, self.recorder)


async def test_the_console_shows_what_is_recorded(tmp_path: Path) -> None:
    one = Recording(tmp_path / "r", rack(), van())
    async with running(one.link, background=one.recorder.run) as deck:  # type: ignore[arg-type]
        await deck.shows("all quiet: 2 hosts")
        one.fake.say("van-7", LinkChange(state="lost", detail="reset"))
        await eventually(lambda: sum(isinstance(record, LinkHeard) for record in records(tmp_path / "r")) == 3)
    one.recorder.close()
    heard = records(tmp_path / "r")
    assert [type(record).__name__ for record in heard] == [
        "LinkHeard", "EventHeard", "LinkHeard", "EventHeard", "LinkHeard", "End",
    ]  # fmt: skip
    assert heard[1] == at(0, "rack-1", rack())
    assert Tape(tmp_path / "r").header.hosts == ("rack-1", "van-7")


async def test_answers_errors_and_logs_are_recorded_but_not_what_was_sent(tmp_path: Path) -> None:
    one = Recording(tmp_path / "r", rack())
    pages = PageList(now=NOW)
    one.fake.pages["rack-1", "/v1/alerts"] = pages
    lines = [
        LogLine(source="agent", old=True, text="begun"),
        LogLine(source="agent", old=True),
        LogLine(source="agent"),
    ]
    one.fake.streams["rack-1", "/v1/logs/agent"] = [*lines, LogLine(source="agent", text="a line", withheld=2)]
    change = ChangeWeight(request_id="1", by="ada", weight_bp=500, revision=3, reason=SECRET)
    assert await one.link.ask("rack-1", lambda client: client.alerts()) == pages
    assert await one.link.ask("rack-1", lambda client: client.alerts()) == pages
    await one.link.ask("rack-1", lambda client: client.change_weight("int4_v1", change))
    with pytest.raises(RemoteError):
        await one.link.ask("rack-1", lambda client: client.canary("int4_v1"))

    async def read(client: Any) -> list[bytes]:
        return [line async for line in client.lines("/v1/logs/agent?lines=5&follow=0", 5.0)]

    assert len(await one.link.ask("rack-1", read)) == 4
    one.recorder.close()
    told = records(tmp_path / "r")
    answers = [record for record in told if isinstance(record, Answered)]
    assert [(record.asked, record.same) for record in answers] == [
        ("GET /v1/alerts", False),
        ("GET /v1/alerts", True),
        ("POST /v1/experiments/int4_v1/weight", False),
        ("GET /v1/experiments/int4_v1/canary", False),
    ]
    assert msgspec.json.decode(answers[0].answer, type=PageList) == pages
    assert answers[3].error is not None
    assert answers[3].status == 404
    logs = [(record.state, record.line and record.line.text) for record in told if isinstance(record, LogHeard)]
    assert logs == [("opened", None), ("", "begun"), ("", "a line"), ("closed", None)]
    assert SECRET not in (tmp_path / "r").read_text()


async def test_nothing_that_users_wrote_is_recorded(tmp_path: Path) -> None:
    one = Recording(tmp_path / "r", rack())
    experiment = "/v1/experiments/int4_v1"
    one.fake.answers["rack-1"] = []
    replayed = ReplayReport(
        conclusion="unclear", text="unclear", compared=1, control_flagged=0, treatment_flagged=0,
        prompts=(Replayed(t=NOW, flags=("repetition",), prompt=SECRET),),
    )  # fmt: skip
    one.fake.pages |= {
        ("rack-1", f"{experiment}/ask"): Asked(arms=(AskedArm(variant="control", text=SECRET),)),
        ("rack-1", f"{experiment}/who"): WhoAnswer(variant="control", bucket=1, weight_bp=0, why=SECRET),
        ("rack-1", f"{experiment}/replay"): replayed,
    }
    ask = Ask(request_id="1", prompt=SECRET)
    await one.link.ask("rack-1", lambda client: client.ask_arms("int4_v1", ask))
    await one.link.ask("rack-1", lambda client: client.who("int4_v1", SECRET))
    report = await one.link.ask("rack-1", lambda client: client.replay("int4_v1", ReplayAsk(prompts=True)))
    assert report.prompts[0].prompt == SECRET
    one.recorder.close()
    assert SECRET not in (tmp_path / "r").read_text()
    answers = [record for record in records(tmp_path / "r") if isinstance(record, Answered)]
    assert [(record.asked.rpartition("/")[2], record.withheld) for record in answers] == [
        ("ask", True), ("who", True), ("replay", False),
    ]  # fmt: skip


async def test_an_answer_that_nobody_has_looked_at_is_left_out(tmp_path: Path) -> None:
    one = Recording(tmp_path / "r", rack())
    one.fake.pages["rack-1", "/v1/new"] = PageList(now=NOW)
    body = Rollback(request_id="1", reason=SECRET)
    await one.link.ask("rack-1", lambda client: client._call("POST", "/v1/new", body, PageList))
    one.recorder.close()
    assert [record.withheld for record in records(tmp_path / "r") if isinstance(record, Answered)] == [True]


def test_nothing_is_overwritten_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r", ["a"], [])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(RecordingError, match="is there already"):
        Recorder(path, ["a"])
    with pytest.raises(RecordingError, match="Cannot write"):
        Recorder(tmp_path / "none" / "r", ["a"])


@pytest.mark.parametrize("name", ["r", "r.gz"])
async def test_a_killed_console_leaves_what_it_wrote_a_second_ago(tmp_path: Path, name: str) -> None:
    recorder = Recorder(tmp_path / name, ["a"], lambda: NOW)
    writing = asyncio.create_task(recorder.run())
    recorder.put(at(0, "a", Heartbeat(revision=1)))
    await eventually(lambda: len(records(tmp_path / name)) == 1)
    recorder.put(at(1, "a", Heartbeat(revision=2)))
    await eventually(lambda: len(records(tmp_path / name)) == 2)
    writing.cancel()


def test_a_compressed_file_is_one_for_everybody(tmp_path: Path) -> None:
    beats = [at(n, "a", Heartbeat(revision=n)) for n in range(50)]
    plain = recorded(tmp_path / "r", ["a"], beats, ended=60)
    packed = recorded(tmp_path / "r.gz", ["a"], beats, ended=60)
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    assert packed.stat().st_size * 3 < plain.stat().st_size


@pytest.mark.parametrize("name", ["r", "r.gz"])
async def test_a_full_disk_stops_it_once_and_what_is_there_can_be_played(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    recorder = Recorder(path, ["rack-1"], lambda: NOW)
    recorder.put(at(0, "rack-1", Heartbeat(revision=1)))
    recorder.flush()
    room = [40]

    def write(file: int, data: memoryview) -> int:
        if not room[0]:
            raise OSError(28, os.strerror(28))
        took, room[0] = min(len(data), room[0]), 0
        return written(file, data[:took])

    written = os.write
    monkeypatch.setattr(recorder_module.os, "write", write)
    async with running(FakeLink(rack()), background=recorder.run) as deck:
        recorder.put(at(1, "rack-1", rack()))
        await deck.shows("x Recording has stopped: No space left on device")
        recorder.put(at(2, "rack-1", rack()))
        assert recorder._waiting == []
        await deck.press("enter")
        await deck.shows("CONTROL")
    recorder.close()
    assert records(path) == [at(0, "rack-1", Heartbeat(revision=1))]


async def test_what_was_on_its_way_when_the_console_ended_is_in_the_file(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "r", ["a"], lambda: NOW)
    began, may_go_on = threading.Event(), threading.Event()

    def slow(data: bytes, now: float, *, last: bool = False) -> None:
        began.set()
        may_go_on.wait(5)
        write(data, now, last=last)

    write, recorder._pieces.write = recorder._pieces.write, slow  # type: ignore[method-assign]
    writing = asyncio.create_task(recorder.run())
    recorder.put(at(0, "a", Heartbeat(revision=1)))
    await eventually(began.is_set)
    recorder.put(at(1, "a", Heartbeat(revision=2)))
    writing.cancel()
    may_go_on.set()
    await asyncio.to_thread(recorder.close)
    assert [type(record).__name__ for record in records(tmp_path / "r")] == ["EventHeard", "EventHeard", "End"]


async def test_what_the_disk_cannot_take_in_time_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "MOST_WAITING", 3_000)
    recorder = Recorder(tmp_path / "r", ["rack-1"], lambda: NOW)
    for n in range(100):
        recorder.put(at(n, "rack-1", Heartbeat(revision=n)))
    kept = len(recorder._waiting)
    assert kept < 100
    recorder.flush()
    recorder.put(at(200, "rack-1", Heartbeat(revision=200)))
    recorder.close()
    told = records(tmp_path / "r")
    assert Lost(t=NOW + 200, records=100 - kept) in told
    assert sum(isinstance(record, EventHeard) for record in told) == kept + 1


async def test_text_that_is_no_unicode_ends_nothing(tmp_path: Path) -> None:
    one = Recording(tmp_path / "r", rack())
    one.recorder.put(at(0, "rack-1", LinkChange(state="lost", detail="\udcff")))
    one.recorder.put(at(1, "rack-1", Heartbeat(revision=1)))
    one.recorder.close()
    assert [type(record).__name__ for record in records(tmp_path / "r")] == ["Lost", "EventHeard", "End"]


async def test_errors_of_the_link_are_recorded_as_they_were_said(tmp_path: Path) -> None:
    one = Recording(tmp_path / "r", rack())
    one.fake.pages["rack-1", "/v1/alerts"] = UnreachableError("gone", "wait")
    with pytest.raises(UnreachableError):
        await one.link.ask("rack-1", lambda client: client.alerts())
    one.recorder.close()
    [answer] = [record for record in records(tmp_path / "r") if isinstance(record, Answered)]
    assert answer.error == UnreachableError("gone", "wait").info()


def test_a_stopped_recorder_says_what_is_wrong(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "r", ["a"], lambda: NOW)
    os.close(recorder._file)
    recorder.put(at(0, "a", Heartbeat(revision=1)))
    with pytest.raises(RecordingStoppedError, match="Bad file descriptor"):
        recorder.flush()
