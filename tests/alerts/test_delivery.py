"""Pages on their way out: real servers that fail, hang and come back, real commands, a real state on disk."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from quantdeck_agent.alerts import sending
from quantdeck_agent.alerts.alerts import Alerts
from quantdeck_agent.alerts.outbox import MOST_WAITING, Outbox
from quantdeck_agent.hub import Hub
from quantdeck_agent.store import Store
from quantdeck_core.alerts.board import Board, raised
from quantdeck_core.errors import InputError
from quantdeck_core.protocol.alerts import Acknowledge, HandOver, Page, PageCounts, Snooze
from quantdeck_core.protocol.host import Alarm, HostSample
from support.receiver import Answer, Receiver, receiver
from support.waiting import eventually

SECRET = "c4nary-pa7h"
SAMPLE = HostSample(
    t=0, cpu_percent=0, cpu_count=1, load_1m=0, memory_used_bytes=0, memory_total_bytes=1, disk_free_bytes=1
)


class Host:
    """A hub, a state and what sends pages, as the daemon joins them."""

    def __init__(self, folder: Path, file: Path | None) -> None:
        self.store = Store(folder / "agent.db")
        self.hub = Hub("gpu-1", "0", SAMPLE)
        self.alerts = Alerts("gpu-1", self.store, self.hub.alarm, file, counted=self.hub.put_pages)
        self.hub.listen(self.alerts.heard)

    def page(self, identifier: int) -> Page:
        return next(page for page in self.alerts.status().pages if page.id == identifier)

    def fail(self, text: str = "rolled back from 10 %", key: str = "rollback", level: str = "fail") -> None:
        self.hub.alarm(1_790_000_000.0, level, text, "e", hint="look at it", key=key)

    @property
    def alarms(self) -> list[str]:
        return [f"{one.level} {one.text}" for one in self.hub.status().alarms]


@contextlib.asynccontextmanager
async def host(folder: Path, file: Path | None) -> AsyncIterator[Host]:
    one = Host(folder, file)
    task = asyncio.create_task(one.alerts.keep())
    try:
        yield one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        one.store.close()


def written(folder: Path, text: str) -> Path:
    file = folder / "alerts.toml"
    temporary = folder / "alerts.new"
    temporary.write_text(text)
    temporary.chmod(0o600)
    temporary.replace(file)
    return file


def hooks(server: Receiver, *kinds: str, more: str = "", top: str = 'repeat = "1h"\noverdue = "1h"\n') -> str:
    tables = {
        "slack": f'[[webhook]]\nkind = "slack"\nurl = "{server.url(f"/slack/{SECRET}")}"\n{more}\n',
        "json": f'[[webhook]]\nkind = "json"\nurl = "{server.url(f"/json/{SECRET}")}"\n{more}\n',
        "pagerduty": f'[[webhook]]\nkind = "pagerduty"\nurl = "{server.url("/v2/enqueue")}"\n'
        f'routing_key = "{SECRET}"\n{more}\n',
    }
    return top + "".join(tables[kind] for kind in kinds)


@pytest.fixture
async def server() -> AsyncIterator[Receiver]:
    async with receiver() as one:
        yield one


async def test_each_receiver_gets_its_own_shape_once_a_cause(server: Receiver, tmp_path: Path) -> None:
    async with host(tmp_path, written(tmp_path, hooks(server, "slack", "pagerduty", "json"))) as one:
        one.fail()
        one.fail("rolled back once more")
        await eventually(lambda: len(server.seen) == 3)
        by_path = dict(server.seen)
        assert by_path[f"/slack/{SECRET}"]["blocks"][0]["type"] == "header"
        assert by_path["/v2/enqueue"]["dedup_key"] == "gpu-1/e/rollback"
        assert by_path["/v2/enqueue"]["routing_key"] == SECRET
        assert by_path[f"/json/{SECRET}"]["page"]["hint"] == "look at it"
        one.fail("cleared: mended", level="ok")
        await eventually(lambda: len(server.seen) == 6)
        assert [body["event_action"] for body in server.bodies if "event_action" in body] == ["trigger", "resolve"]


async def test_a_receiver_that_fails_is_tried_again_and_nothing_overtakes(server: Receiver, tmp_path: Path) -> None:
    server.answers = [Answer(500), Answer(503)]
    async with host(tmp_path, written(tmp_path, hooks(server, "json"))) as one:
        one.fail()
        one.fail("a second cause", key="gateway")
        await eventually(lambda: len(server.seen) == 4)
        await eventually(lambda: one.alerts.status().receivers[0].waiting == 0)
    assert [body["page"]["id"] for body in server.bodies] == [1, 1, 1, 2]


async def test_retry_after_is_waited_for_and_holds_up_nobody_else(server: Receiver, tmp_path: Path) -> None:
    async with receiver() as busy:
        busy.always = Answer(429, {"retry-after": "900"})
        text = hooks(server, "json", top='repeat = "1s"\n') + hooks(busy, "slack", top="")
        async with host(tmp_path, written(tmp_path, text)) as one:
            one.fail()
            # Each repetition is a second after the one before, and without a Retry-After the pause were less than one.
            await eventually(lambda: len(server.seen) == 4)
            assert len(busy.seen) == 1


async def test_a_receiver_that_hangs_is_overdue_and_says_so_until_it_takes_pages_again(
    server: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantdeck_agent.alerts.delivery.sender_for", lambda target: sending.sender_for(target, 0.2))
    server.always = Answer(hangs=True)
    text = hooks(server, "json", top='overdue = "1s"\n')
    async with host(tmp_path, written(tmp_path, text)) as one:
        one.fail()
        late = "fail pages could not be delivered to json-1 for 1 s: no answer within 0.2 s"
        await eventually(lambda: late in one.alarms)
        server.always = Answer()
        await eventually(lambda: "ok pages are delivered to json-1 again" in one.alarms)
        await eventually(lambda: one.page(2).ended)
        assert one.alarms.count(late) == 1
        assert one.alerts.status().receivers[0].problem == ""
    # Of its own trouble it is not told.
    assert {body["page"]["id"] for body in server.bodies} == {1}


async def test_a_refusal_is_not_repeated_and_is_told(server: Receiver, tmp_path: Path) -> None:
    server.answers = [Answer(404), Answer(302, {"location": server.url("/elsewhere")})]
    async with host(tmp_path, written(tmp_path, hooks(server, "slack"))) as one:
        one.fail()
        await eventually(lambda: "fail slack-1 refused a page for good: it answered with HTTP 404" in one.alarms)
        one.fail("a second cause", key="gateway")
        await eventually(lambda: "fail slack-1 refused a page for good: it answered with HTTP 302" in one.alarms)
    assert [path for path, _ in server.seen] == [f"/slack/{SECRET}"] * 2


async def test_a_page_outlives_the_agent_that_could_not_deliver_it(server: Receiver, tmp_path: Path) -> None:
    server.always = Answer(500)
    file = written(tmp_path, hooks(server, "json"))
    async with host(tmp_path, file) as one:
        one.fail()
        await eventually(lambda: server.seen)
    server.always = Answer()
    before = len(server.seen)
    async with host(tmp_path, file) as one:
        await eventually(lambda: one.alerts.status().receivers and one.alerts.status().receivers[0].waiting == 0)
        assert one.page(1).state(0) == "open"
        one.fail()  # the same cause is still the same page
        one.fail("another", key="other")
        await eventually(lambda: len(server.seen) == before + 2)
    assert [(body["action"], body["page"]["id"]) for body in server.bodies[before:]] == [("trigger", 1), ("trigger", 2)]


async def test_nobody_s_page_is_repeated_and_somebody_s_is_not(server: Receiver, tmp_path: Path) -> None:
    file = written(tmp_path, hooks(server, "json", top='repeat = "1s"\n'))
    async with host(tmp_path, file) as one:
        one.fail()
        await eventually(lambda: [body["action"] for body in server.bodies][:2] == ["trigger", "repeat"])
        assert "Nobody has acknowledged it" in server.bodies[1]["news"]
        one.alerts.acknowledge(1, Acknowledge(request_id="r", by="ada", note="on it"))
        await eventually(lambda: server.bodies[-1]["action"] == "acknowledge")
        one.fail("another cause", key="other")
        # The next repetitions are those of the other page alone.
        await eventually(lambda: [b["page"]["id"] for b in server.bodies if b["action"] == "repeat"].count(2) == 2)
        actions = [(body["action"], body["page"]["id"]) for body in server.bodies]
        assert ("repeat", 1) not in actions[actions.index(("acknowledge", 1)) :]


async def test_who_took_it_is_remembered_and_in_the_timeline(tmp_path: Path) -> None:
    async with host(tmp_path, None) as one:
        one.fail()
        await eventually(lambda: one.alerts.status().pages)
        one.alerts.acknowledge(1, Acknowledge(request_id="r", by="ada", note="on it"))
        one.alerts.hand_over(1, HandOver(request_id="r", by="ada", to="bo", note="my shift ends"))
        one.alerts.snooze(1, Snooze(request_id="r", by="bo", seconds=1800))
        lines = [(line.kind, line.by, line.text) for line in one.store.timeline("experiment:e")]
    assert [(kind, by) for kind, by, _ in lines] == [("alert", "ada"), ("alert", "ada"), ("alert", "bo")]
    assert "Acknowledged by ada: on it" in lines[0][2]
    assert "Handed over to bo, who is to acknowledge it: my shift ends" in lines[1][2]
    async with host(tmp_path, None) as one:
        page = one.page(1)
    assert (page.owner, page.snoozed_by, page.acknowledged_by) == ("bo", "bo", "")


async def test_watchers_are_told_how_many_go_on_and_who_has_them(server: Receiver, tmp_path: Path) -> None:
    server.always = Answer(500)
    async with host(tmp_path, written(tmp_path, hooks(server, "json"))) as one:

        async def counted(**pages: int) -> None:
            await eventually(lambda: one.hub.status().pages == PageCounts(**pages), what=f"{pages}")

        one.fail()
        one.fail("the gateway does not answer", key="gateway")
        await counted(nobody=2, deaf=1)
        one.alerts.snooze(1, Snooze(request_id="r", by="ada", seconds=0.5))
        assert one.hub.status().pages == PageCounts(nobody=1, snoozed=1, deaf=1)
        await counted(nobody=2, deaf=1)  # a snooze ends by itself
        one.alerts.acknowledge(2, Acknowledge(request_id="r", by="ada"))
        assert one.hub.status().pages == PageCounts(nobody=1, taken=1, deaf=1)
        server.always = Answer()
        one.fail("cleared", level="ok")
        await counted(taken=1)
    again = Host(tmp_path, None)
    task = asyncio.create_task(again.alerts.keep())
    try:
        await eventually(lambda: again.hub.status().pages == PageCounts(taken=1))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        again.store.close()


async def test_who_is_told_of_what(server: Receiver, tmp_path: Path) -> None:
    text = hooks(server, "json", more='levels = ["warn"]') + hooks(server, "slack", more='experiments = ["f"]', top="")
    async with host(tmp_path, written(tmp_path, text)) as one:
        one.fail("a failure")
        one.fail("a warning", key="w", level="warn")
        one.hub.alarm(0, "fail", "of f", "f")
        await eventually(lambda: len(server.seen) == 2)
    assert {path.split("/")[1]: body.get("text") or body["summary"] for path, body in server.seen} == {
        "json": "WARN gpu-1 e: a warning",
        "slack": "FAIL gpu-1 f: of f",
    }


PROGRAM = """#!{python}
import json, os, sys, pathlib, time
folder = pathlib.Path({folder!r})
mode = (folder / "mode").read_text()
if mode == "hangs":
    (folder / "pid").write_text(str(os.getpid()))
    time.sleep(600)
facts = {{name: value for name, value in os.environ.items() if name.startswith("QUANTDECK_ALERT_")}}
(folder / "told.json").write_text(json.dumps([facts, json.load(sys.stdin), sys.argv[1:]]))
sys.exit(int(mode))
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "pager"
    file.write_text(PROGRAM.format(python=sys.executable, folder=str(tmp_path)))
    file.chmod(0o755)
    return file


async def test_a_command_gets_facts_and_json_without_a_shell(program: Path, tmp_path: Path) -> None:
    (tmp_path / "mode").write_text("0")
    text = f'[[command]]\nargv = ["{program}", "$(touch {tmp_path}/shell)", "; true"]\n'
    async with host(tmp_path, written(tmp_path, text)) as one:
        one.fail()
        await eventually(lambda: (tmp_path / "told.json").exists() and (tmp_path / "told.json").read_text())
        await eventually(lambda: one.alerts.status().receivers[0].waiting == 0)
    facts, body, argv = msgspec.json.decode((tmp_path / "told.json").read_bytes())
    assert argv == [f"$(touch {tmp_path}/shell)", "; true"]
    assert not (tmp_path / "shell").exists()
    assert (facts["QUANTDECK_ALERT_TEXT"], body["page"]["text"]) == ("rolled back from 10 %",) * 2


async def test_a_command_that_hangs_is_ended_and_one_that_fails_is_tried_again(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantdeck_agent.alerts.delivery.sender_for", lambda target: sending.sender_for(target, 1.0))
    (tmp_path / "mode").write_text("hangs")
    async with host(tmp_path, written(tmp_path, f'[[command]]\nargv = ["{program}"]\n')) as one:

        def problem() -> str:
            listed = one.alerts.status().receivers
            return listed[0].problem if listed else ""

        one.fail()
        await eventually(lambda: problem() == "it did not end within 1 s")
        pid = int((tmp_path / "pid").read_text())
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        (tmp_path / "mode").write_text("3")
        await eventually(lambda: problem() == "it ended with exit status 3")
        (tmp_path / "mode").write_text("0")
        await eventually(lambda: not problem())


async def test_the_file_is_read_again_and_a_bad_one_changes_nothing(server: Receiver, tmp_path: Path) -> None:
    file = written(tmp_path, hooks(server, "json"))
    async with host(tmp_path, file) as one:
        await eventually(lambda: one.alerts.status().receivers)
        written(tmp_path, f'[[webhook]]\nkind = "json"\nurl = "http://elsewhere/{SECRET}"\n')
        await eventually(lambda: any("webhook.0.url" in alarm for alarm in one.alarms))
        one.fail()
        await eventually(lambda: len(server.seen) == 1)
        written(tmp_path, hooks(server, "slack"))
        await eventually(lambda: one.alerts.status().receivers[0].name == "slack-1")
        one.fail("another", key="other")
        await eventually(lambda: len(server.seen) == 2)
    assert "blocks" in server.bodies[1]
    assert not any(SECRET in alarm for alarm in one.alarms)


async def test_a_receiver_that_is_removed_takes_its_trouble_with_it(server: Receiver, tmp_path: Path) -> None:
    server.always = Answer(404)
    async with host(tmp_path, written(tmp_path, hooks(server, "json"))) as one:
        one.fail()
        await eventually(lambda: len(one.alerts.status().pages) == 2)
        written(tmp_path, 'repeat = "1h"\n')
        await eventually(lambda: one.page(2).ended)
    assert one.page(2).outcome == "json-1 is not told of alarms any more"


async def test_secrets_are_in_no_log_no_state_and_no_message(
    server: Receiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "quantdeck")
    server.answers = [Answer(500), Answer(400), Answer(404)]
    gone = f'[[webhook]]\nname = "gone"\nkind = "json"\nurl = "http://127.0.0.1:1/{SECRET}"\n'
    text = hooks(server, "slack", "pagerduty", "json") + gone
    (tmp_path / "state").mkdir()
    async with host(tmp_path / "state", written(tmp_path, text)) as one:
        one.fail()
        await eventually(lambda: len(server.seen) >= 4)
        await eventually(lambda: any(r.problem for r in one.alerts.status().receivers if r.name == "gone"))
        shown = [repr(one.alerts.status()), repr(one.hub.status()), repr(one.alerts._file().targets)]
    kept = b"".join(file.read_bytes() for file in (tmp_path / "state").iterdir())
    assert b"rolled back from 10 %" in kept
    assert SECRET.encode() not in kept
    assert SECRET not in caplog.text + "".join(shown)
    assert "did not take page 1" in caplog.text


async def test_when_too_much_waits_news_and_warnings_go_before_failures(tmp_path: Path) -> None:
    store = Store(tmp_path / "agent.db")
    try:
        outbox, board = Outbox(store), Board(host="gpu-1")
        for number in range(2 * MOST_WAITING):
            alarm = Alarm(id=1, t=0, level="warn" if number % 2 else "fail", text="x", key=f"cause-{number}")
            board, notices = raised(board, alarm)
            outbox.add(outbox.compose(notices[0], ["r"], 0))
        waiting = outbox.of("r")
    finally:
        store.close()
    assert len(waiting) == MOST_WAITING
    assert {one.notice.page.level for one in waiting} == {"fail"}


async def test_a_command_does_not_see_what_the_agent_keeps_in_its_environment(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPSTREAM_KEY", SECRET)
    (tmp_path / "mode").write_text("0")
    program.write_text(program.read_text().replace('if name.startswith("QUANTDECK_ALERT_")', ""))
    async with host(tmp_path, written(tmp_path, f'[[command]]\nargv = ["{program}"]\n')) as one:
        one.fail()
        await eventually(lambda: one.alerts.status().pages and not one.alerts.status().receivers[0].waiting)
    told = (tmp_path / "told.json").read_text()
    assert "QUANTDECK_ALERT_ID" in told
    assert SECRET not in told


@pytest.mark.parametrize("mode", [0o644, 0o620, 0o602])
def test_a_file_that_others_may_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    file = written(tmp_path, "")
    file.chmod(mode)
    store = Store(tmp_path / "agent.db")
    try:
        with pytest.raises(InputError, match="Others may"):
            Alerts("gpu-1", store, (hub := Hub("gpu-1", "0", SAMPLE)).alarm, file, counted=hub.put_pages)
    finally:
        store.close()


async def test_secrets_may_stand_in_files_of_their_own(server: Receiver, tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text(server.url(f"/first/{SECRET}\n"))
    secret.chmod(0o600)
    text = f'[[webhook]]\nkind = "json"\nurl_file = "{secret}"\n'
    async with host(tmp_path, written(tmp_path, text)) as one:
        one.fail()
        await eventually(lambda: server.seen)
        secret.write_text("")  # as an editor leaves it for a moment
        await eventually(lambda: any("url is empty" in alarm for alarm in one.alarms))
        secret.write_text(server.url(f"/second/{SECRET}"))
        await eventually(lambda: one.alerts._file().targets[0].url.reveal().endswith(f"/second/{SECRET}"))
        one.fail("another", key="other")
        await eventually(lambda: len(server.seen) == 2)
    assert [path for path, _ in server.seen] == [f"/first/{SECRET}", f"/second/{SECRET}"]
