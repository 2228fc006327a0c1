"""What receivers are sent, and when again."""

from __future__ import annotations

from datetime import datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.alerts.board import Board, Notice, raised
from quantdeck_core.alerts.cause import MOST_KEY, page_key
from quantdeck_core.alerts.retry import MOST_S, RETRY_AFTER_MOST_S, judge_status, pause_s, retry_after_s
from quantdeck_core.alerts.settings import PAGERDUTY_URL, check_url, parse_settings
from quantdeck_core.alerts.shapes import environment, pagerduty, plain, slack
from quantdeck_core.errors import InputError
from quantdeck_core.profile.toml_text import TomlError
from quantdeck_core.protocol.host import Alarm

NOW = 1_790_000_000.0


def notice(
    text: str = "rolled back from 10 %", level: str = "fail", hint: str = "look", action: str = "trigger"
) -> Notice:
    alarm = Alarm(id=1, t=NOW, level=level, text=text, experiment="e", hint=hint, key="rollback")
    _, (begun,) = raised(Board(host="gpu-1"), alarm)
    return msgspec.structs.replace(begun, action=action)


def test_slack_gets_blocks_and_a_text_for_where_there_are_none() -> None:
    body = slack("gpu-1", notice(), NOW, "https://wiki/run")
    assert body["text"] == "FAIL gpu-1 e: rolled back from 10 %"
    assert [block["type"] for block in body["blocks"]] == ["header", "section", "context"]
    assert "<https://wiki/run|runbook>" in body["blocks"][2]["elements"][0]["text"]
    assert "quantdeck alerts ack 1 --host gpu-1" in body["blocks"][2]["elements"][0]["text"]


@given(st.text(max_size=5000), st.text(max_size=5000))
def test_no_text_of_ours_is_too_long_or_markup_for_slack(text: str, hint: str) -> None:
    body = slack("gpu-1", notice(text, hint=hint), NOW, "")
    header, section, context = body["blocks"]
    assert 0 < len(header["text"]["text"]) <= 150
    assert 0 < len(section["text"]["text"]) <= 3000
    assert not {"<", ">"} & set(section["text"]["text"] + body["text"] + context["elements"][0]["text"])


def test_pagerduty_gets_an_event_of_its_version_2() -> None:
    body = pagerduty("gpu-1", notice(), NOW, "https://wiki/run", "k")
    assert body
    assert {key: body[key] for key in ("routing_key", "event_action", "dedup_key")} == {
        "routing_key": "k",
        "event_action": "trigger",
        "dedup_key": "gpu-1/e/rollback",
    }
    payload = body["payload"]
    assert (payload["source"], payload["severity"], payload["component"]) == ("gpu-1", "critical", "e")
    assert datetime.fromisoformat(payload["timestamp"]).timestamp() == NOW
    assert payload["custom_details"]["next"] == "look"
    assert body["links"] == [{"href": "https://wiki/run", "text": "Runbook"}]


@pytest.mark.parametrize(
    ("action", "event"),
    [("repeat", "trigger"), ("handover", "trigger"), ("acknowledge", "acknowledge"), ("resolve", "resolve")],
)
def test_the_life_of_a_page_is_the_life_of_an_incident(action: str, event: str) -> None:
    body = pagerduty("gpu-1", notice(action=action), NOW, "", "k")
    assert body
    assert (body["event_action"], body["dedup_key"]) == (event, "gpu-1/e/rollback")
    assert ("payload" in body) == (event == "trigger")


def test_pagerduty_hears_nothing_of_a_snooze() -> None:
    assert pagerduty("gpu-1", notice(action="snooze"), NOW, "", "k") is None


@given(st.text(max_size=3000))
def test_pagerduty_s_limits_are_kept(text: str) -> None:
    body = pagerduty("gpu-1", notice(text), NOW, "", "k")
    assert body
    assert len(body["payload"]["summary"]) <= 1024
    assert len(page_key("h" * 300, "e", text)) <= MOST_KEY


def test_long_causes_that_differ_late_stay_apart() -> None:
    assert page_key("h", "e", "c" * 300 + "1") != page_key("h", "e", "c" * 300 + "2")


def test_a_command_gets_the_facts_twice() -> None:
    env = environment("gpu-1", notice("a\0b"), NOW, "")
    assert (env["QUANTDECK_ALERT_ACTION"], env["QUANTDECK_ALERT_EXPERIMENT"]) == ("trigger", "e")
    assert not any("\0" in value for value in env.values())
    page = plain("gpu-1", notice(), NOW, "")["page"]
    assert (page["state"], page["level"], page["key"]) == ("open", "fail", "gpu-1/e/rollback")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "taken"), (202, "taken"), (302, "refused"), (400, "refused"), (404, "refused"), (408, "again"),
     (429, "again"), (500, "again"), (503, "again")],
)  # fmt: skip
def test_which_answers_are_tried_again(status: int, outcome: str) -> None:
    assert judge_status(status, None, NOW).outcome == outcome


def test_retry_after_is_a_number_or_a_date_and_silences_nobody_for_long() -> None:
    assert retry_after_s("7", NOW) == 7
    assert retry_after_s("Mon, 21 Sep 2026 14:13:40 GMT", NOW) == 20
    assert retry_after_s("999999", NOW) == RETRY_AFTER_MOST_S
    for nothing in (None, "", "soon", "-1", "\u0663"):
        assert retry_after_s(nothing, NOW) is None


@given(st.integers(1, 10_000), st.floats(0, 1), st.one_of(st.none(), st.floats(0, RETRY_AFTER_MOST_S)))
def test_pauses_grow_to_a_bound_and_never_undercut_what_was_asked(
    failures: int, chance: float, asked: float | None
) -> None:
    pause = pause_s(failures, chance, asked)
    assert max(0.5, asked or 0) <= pause <= max(MOST_S, asked or 0)
    assert pause_s(failures + 1, chance) >= pause_s(failures, chance)


COMPLETE = """
repeat = "10m"
[[webhook]]
kind = "slack"
url_file = "/etc/quantdeck/slack"
levels = ["warn", "fail"]
experiments = ["e"]
[[webhook]]
name = "on-call"
kind = "pagerduty"
routing_key = "R0"
[[command]]
argv = ["/usr/bin/wall"]
"""


def test_a_complete_file() -> None:
    settings = parse_settings(COMPLETE, "a.toml")
    slack_hook, pager, command = settings.receivers()
    assert [one.name for one in (slack_hook, pager, command)] == ["slack-1", "on-call", "command-1"]
    assert settings.repeat_s == 600
    assert slack_hook.wants("warn", "e")
    assert not slack_hook.wants("fail", "")
    assert pager.wants("fail", "")
    assert not pager.wants("warn", "")
    assert not check_url(PAGERDUTY_URL)


SECRET = "s3cr3t-canary"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('[[webhook]]\nkind = "teams"\n', "a.toml:2:1: webhook.0.kind"),
        (f'[[webhook]]\nkind = "slack"\nurl = "http://hooks.example/{SECRET}"\n', "a.toml:3:1: webhook.0.url"),
        (f'[[webhook]]\nkind = "json"\nurl = "{SECRET}"\n', "a.toml:3:1: webhook.0.url"),
        (f'[[webhook]]\nkind = "json"\nurl = "https://a:{SECRET}/"\n', "a.toml:3:1: webhook.0.url"),
        (f'[[webhook]]\nkind = "json"\nurl = "https://a/{SECRET}"\nurl_file = "/x"\n', "a.toml:3:1: webhook.0.url"),
        ('[[webhook]]\nkind = "slack"\n', "a.toml:2:1: webhook.0.kind"),
        ('[[webhook]]\nkind = "pagerduty"\n', "a.toml:2:1: webhook.0.kind"),
        (
            f'[[webhook]]\nkind = "json"\nurl = "https://a/"\nrouting_key = "{SECRET}"\n',
            "a.toml:4:1: webhook.0.routing_key",
        ),
        ('[[webhook]]\nkind = "json"\nurl_file = "here"\n', "a.toml:3:1: webhook.0.url_file"),
        ('[[command]]\nargv = ["wall"]\n', "a.toml:2:1: command.0.argv"),
        ("[[command]]\nargv = []\n", "a.toml:2:1: command.0.argv"),
        ('repeat = "soon"\n', "a.toml:1:1: repeat"),
        ('repeat = "3d"\n', "a.toml:1:1: repeat"),
        ('[[command]]\nargv = ["/a"]\nname = "x"\n[[command]]\nargv = ["/b"]\nname = "x"\n', "called 'x'"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_line_and_without_its_secret(text: str, where: str) -> None:
    with pytest.raises(TomlError) as caught:
        parse_settings(text, "a.toml")
    assert where in caught.value.detail
    assert SECRET not in caught.value.detail + caught.value.hint


@given(st.text(max_size=60))
def test_any_text_is_a_url_or_is_not(url: str) -> None:
    assert isinstance(check_url(url), str)
    with pytest.raises(InputError):
        parse_settings(f"webhook = {url!r}", "a.toml")
