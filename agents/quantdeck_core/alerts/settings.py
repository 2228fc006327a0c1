"""The file of `quantdeck agent run --alerts FILE`: who is told of what."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from quantdeck_core.durations import parse_duration
from quantdeck_core.errors import InputError
from quantdeck_core.loopback import is_loopback
from quantdeck_core.profile.names import Name
from quantdeck_core.profile.toml_text import TomlError, decode_toml, locate
from quantdeck_core.protocol.alerts import Level

PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"
LEAST_REPEAT_S, MOST_WAIT_S = 1.0, 86_400.0
Duration = Annotated[str, Meta(max_length=20)]


class _Receiver(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every receiver has.

    Attributes:
        name: as `quantdeck alerts list` shows it; made from kind and number where it is empty.
        levels: pages of these levels; warnings are told once, failures until somebody has acknowledged them.
        experiments: pages of these only; empty: all, and the host's own.
        runbook: a link for whoever is woken.
    """

    name: Name | Literal[""] = ""
    levels: Annotated[tuple[Level, ...], Meta(min_length=1)] = ("fail",)
    experiments: tuple[Name, ...] = ()
    runbook: str = ""

    def wants(self, level: str, experiment: str) -> bool:
        """Whether it is told of such a page."""
        return level in self.levels and (not self.experiments or experiment in self.experiments)


class Webhook(_Receiver, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An address that takes JSON. Addresses and keys are secrets.

    Attributes:
        url, url_file: the address, or a file that holds it; PagerDuty has one of its own.
        routing_key, routing_key_file: PagerDuty's integration key.
    """

    kind: Literal["slack", "pagerduty", "json"]
    url: str = ""
    url_file: str = ""
    routing_key: str = ""
    routing_key_file: str = ""


class Command(_Receiver, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A program of this host: no shell, facts in `QUANTDECK_ALERT_...` and as JSON on its standard input."""

    argv: Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(min_length=1)]

    @property
    def kind(self) -> str:
        """As for webhooks."""
        return "command"


Receiver = Webhook | Command


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file.

    Attributes:
        repeat: a failure that nobody acknowledged is told again after so long.
        overdue: a receiver that took nothing for so long is itself an alarm.
    """

    repeat: Duration = "15m"
    overdue: Duration = "15m"
    webhook: tuple[Webhook, ...] = ()
    command: tuple[Command, ...] = ()

    def receivers(self) -> tuple[Receiver, ...]:
        """All of them, each with a name."""
        named: list[Receiver] = []
        for number, hook in enumerate(self.webhook, 1):
            named.append(msgspec.structs.replace(hook, name=hook.name or f"{hook.kind}-{number}"))
        for number, command in enumerate(self.command, 1):
            named.append(msgspec.structs.replace(command, name=command.name or f"command-{number}"))
        return tuple(named)

    @property
    def repeat_s(self) -> float:
        """Seconds."""
        return parse_duration(self.repeat)

    @property
    def overdue_s(self) -> float:
        """Seconds."""
        return parse_duration(self.overdue)


def parse_settings(text: str, source: str) -> AlertSettings:
    """The file's text. No message holds an address or a key.

    Raises:
        TomlError: with `source:line:column` and what is wrong there.
    """
    try:
        settings = decode_toml(text, AlertSettings, source)
    except TomlError as error:
        raise TomlError(error.detail, "docs/alerts.md shows a complete file.") from None
    for place, problem in _problems(settings):
        line, column = locate(text, place)
        raise TomlError(f"{source}:{line}:{column}: {'.'.join(place)}: {problem}", "Correct it.")
    return settings


def check_url(url: str) -> str:
    """Why an address cannot be used, without the address; empty where it can."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "it is no URL."
    if not host or port == 0 or any(char.isspace() or not char.isprintable() for char in url):
        return "it is no URL."
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        return "it must begin with https://; http:// is for this machine's own addresses, such as 127.0.0.1."
    return ""


def _problems(settings: AlertSettings) -> list[tuple[list[str], str]]:
    found: list[tuple[list[str], str]] = []
    for field in ("repeat", "overdue"):
        try:
            seconds = parse_duration(getattr(settings, field))
        except InputError as error:
            found.append(([field], f"{error.detail} {error.hint}"))
            continue
        if not LEAST_REPEAT_S <= seconds <= MOST_WAIT_S:
            found.append(([field], "it must be from 1s to 1d."))
    for number, hook in enumerate(settings.webhook):
        found += [(["webhook", str(number), field], problem) for field, problem in _webhook_problems(hook)]
    for number, command in enumerate(settings.command):
        if not command.argv[0].startswith("/"):
            found.append((["command", str(number), "argv"], "the program must be named with its whole path."))
    seen: set[str] = set()
    for receiver in settings.receivers():
        if receiver.name in seen:
            found.append(([], f"two receivers are called {receiver.name!r}."))
        seen.add(receiver.name)
        if receiver.runbook and (check_url(receiver.runbook) or set("<>|") & set(receiver.runbook)):
            found.append(([], f"the runbook of {receiver.name!r} is no https:// link."))
    return found


def _webhook_problems(hook: Webhook) -> list[tuple[str, str]]:
    secrets = {"url": (hook.url, hook.url_file), "routing_key": (hook.routing_key, hook.routing_key_file)}
    found = [(name, f"give {name} or {name}_file, not both.") for name, (own, file) in secrets.items() if own and file]
    found += [
        (f"{name}_file", "the file must be named with its whole path.")
        for name, (_, file) in secrets.items()
        if file and not file.startswith("/")
    ]
    key = any(secrets["routing_key"])
    if hook.kind == "pagerduty" and not key:
        found.append(("kind", "PagerDuty needs routing_key or routing_key_file: an Events API v2 integration key."))
    if hook.kind != "pagerduty" and key:
        found.append(("routing_key", "only PagerDuty has one."))
    if hook.kind != "pagerduty" and not any(secrets["url"]):
        found.append(("kind", f"{hook.kind} needs url or url_file."))
    if hook.url and (problem := check_url(hook.url)):
        found.append(("url", problem))
    return found
