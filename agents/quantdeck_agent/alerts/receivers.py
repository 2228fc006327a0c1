"""The receivers that the alerts file names, with their secrets read; the file is read again when it changes."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from quantdeck_core.alerts.settings import PAGERDUTY_URL, AlertSettings, Receiver, Webhook, check_url, parse_settings
from quantdeck_core.errors import InputError

MOST_BYTES = 1 << 20
_MOST_SECRET = 4096
_HINT = "docs/alerts.md shows a complete file."


class Secret:
    """Text that no log and no message shows by accident."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "<secret>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def reveal(self) -> str:
        """For the one place that sends it."""
        return self._text


@dataclass(frozen=True)
class Target:
    """A receiver that can be sent to; in `receiver` its secrets are blank. A command has none."""

    receiver: Receiver
    url: Secret = field(default_factory=lambda: Secret(""))
    key: Secret = field(default_factory=lambda: Secret(""))

    @property
    def name(self) -> str:
        """Unique among them."""
        return self.receiver.name


@dataclass(frozen=True)
class Receivers:
    """What one version of the file says; seconds as in `AlertSettings`."""

    repeat_s: float = AlertSettings().repeat_s
    overdue_s: float = AlertSettings().overdue_s
    targets: tuple[Target, ...] = ()


class AlertsFile:
    """Reads the file again when it, or a file of a secret that it names, changes; one that cannot be used changes
    nothing.

    Args:
        path: None: nobody outside is told.
        complain: called once for each change that cannot be used.

    Raises:
        InputError: the file cannot be used at all.
    """

    def __init__(self, path: Path | None, complain: Callable[[str], None]) -> None:
        self._path, self._complain = path, complain
        self._receivers = Receivers()
        self._seen = self._state()
        if path:
            self._receivers = read_receivers(path)

    def __call__(self) -> Receivers:
        """Those that hold now; the same object while nothing changed."""
        state = self._state()
        if self._path and state != self._seen:
            # Seen before it is read: what is written meanwhile is read the next time, and so are secrets' files that
            # are named for the first time.
            self._seen = state
            try:
                read = read_receivers(self._path)
                self._receivers = self._receivers if read == self._receivers else read
            except InputError as error:
                self._complain(f"{error.detail} Who is told of alarms stays as it was.")
        return self._receivers

    def _state(self) -> tuple[tuple[int, ...], ...]:
        if self._path is None:
            return ()
        hooks = [one.receiver for one in self._receivers.targets if isinstance(one.receiver, Webhook)]
        secrets = [Path(file) for hook in hooks for file in (hook.url_file, hook.routing_key_file) if file]
        return tuple(_stat(file) for file in (self._path, *secrets))


def read_receivers(path: Path) -> Receivers:
    """The receivers of a file.

    Raises:
        InputError: it, or a secret's file, cannot be read, is open to others, or says what cannot be used.
    """
    text = _private_text(path, MOST_BYTES, "Check --alerts.")
    settings = parse_settings(text, str(path))
    return Receivers(settings.repeat_s, settings.overdue_s, tuple(_target(one) for one in settings.receivers()))


def _target(receiver: Receiver) -> Target:
    if not isinstance(receiver, Webhook):
        return Target(receiver)
    url, key = receiver.url, receiver.routing_key
    if receiver.url_file:
        url = _secret_of(Path(receiver.url_file), receiver.name)
        if problem := check_url(url):
            raise InputError(f"The address in {receiver.url_file} cannot be used: {problem}", _HINT)
    elif not url:
        url = PAGERDUTY_URL
    if receiver.routing_key_file:
        key = _secret_of(Path(receiver.routing_key_file), receiver.name)
    return Target(msgspec.structs.replace(receiver, url="", routing_key=""), Secret(url), Secret(key))


def _secret_of(file: Path, name: str) -> str:
    text = _private_text(file, _MOST_SECRET, f"The receiver {name} names it.").strip()
    if not text:
        raise InputError(f"{file} is empty.", f"The receiver {name} names it.")
    return text


def _private_text(path: Path, most: int, hint: str) -> str:
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            data = file.read(most + 1)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.", hint) from None
    if stat.S_IMODE(found.st_mode) & 0o026 or found.st_uid not in (0, os.geteuid()):
        raise InputError(
            f"Others may read or write {path}, and it holds secrets.",
            f"chown it to the agent's user or root, and chmod 600 {path}.",
        )
    if len(data) > most:
        raise InputError(f"{path} is too long.", hint)
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8.", hint) from None


def _stat(file: Path) -> tuple[int, ...]:
    try:
        found = file.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode, found.st_uid
