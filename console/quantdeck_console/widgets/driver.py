"""The way to the terminal: columns hold, a stopped console comes back, and the window's title is given back."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from asyncio import TimerHandle
from collections import deque
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, cast

from textual.drivers.linux_driver import LinuxDriver

from quantdeck_console.widgets.columns import held

if TYPE_CHECKING:
    from textual.app import App

AGAIN_S = 0.05
"""Until it is looked again whether a terminal reads on."""

_PUSH_TITLE, _POP_TITLE = "\x1b[22;2t", "\x1b[23;2t"


class _Unbreakable:
    """A terminal to write to that may go at any time: what cannot be written is dropped.

    An error would end Textual's writing thread, and the next text to draw would wait for it for ever.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            return self._file.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._file.flush()


class DeckDriver(LinuxDriver):
    """Textual's own; stops of the process are handled in the event loop, where nothing is half done.

    A terminal that reads nothing (a link that hangs) is not waited for: Textual's queue to it is short, and whoever
    puts something into a full one stands still, with all that the console has to bring to hosts.

    Attributes:
        before_return: called before the terminal is taken again, so that nothing old is drawn first.
    """

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.before_return: Callable[[], None] = lambda: None
        self._title = ""
        self._away = False
        self._leaving = False
        self._unsent: deque[str] = deque()
        self._again: TimerHandle | None = None
        self._patient = False
        self._file = _Unbreakable(cast("IO[str]", self._file))  # type: ignore[assignment]
        self._loop.add_signal_handler(signal.SIGTSTP, self.stop_process)
        self._loop.add_signal_handler(signal.SIGCONT, self._continued)

    @property
    def hung_up(self) -> bool:
        """Whether the terminal has gone. Textual's own thread would read its end again and again, as fast as it can."""
        poll = select.poll()
        poll.register(self.fileno, 0)  # what has gone is told unasked
        return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))

    def write(self, data: str) -> None:
        """What is drawn; nothing while the terminal is somebody else's."""
        if not self._away:
            self._unsent.append(held(data))
            self._send()

    @property
    def behind(self) -> bool:
        """Whether the terminal has yet to read what was drawn: what is drawn now would only come later."""
        return bool(self._unsent)

    def _send(self) -> None:
        if self._again:
            self._again.cancel()
            self._again = None
        while self._unsent and (self._patient or not self._full):
            super().write(self._unsent.popleft())
        if self._unsent:
            self._again = self._loop.call_later(AGAIN_S, self._send)

    @property
    def _full(self) -> bool:
        return self._writer_thread is not None and self._writer_thread._queue.full()

    def set_title(self, text: str) -> None:
        """Of the terminal's window, until the console ends."""
        self._title = text
        self.write(f"\x1b]2;{text}\x07")

    def start_application_mode(self) -> None:
        """Take the terminal."""
        self._patient = False
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self._away = self._key_thread is None or not self._key_thread.is_alive()
        self.write(_PUSH_TITLE)
        if self._title:
            self.set_title(self._title)

    def stop_application_mode(self) -> None:
        """Give it back, once it has read what was drawn."""
        self._patient = True
        self.write(_POP_TITLE)
        super().stop_application_mode()

    def disable_input(self) -> None:
        """Read no more."""
        if not self._leaving:
            # For good. A kernel that hangs up a terminal continues its processes too: whoever took the terminal again
            # then would read its end, as fast as it can, when nobody is left to stop it.
            self._loop.remove_signal_handler(signal.SIGTSTP)
            self._loop.remove_signal_handler(signal.SIGCONT)
        super().disable_input()

    def stop_process(self) -> None:
        """Give the terminal back and stop, until the shell says that it goes on."""
        self._leave()
        os.kill(os.getpid(), signal.SIGSTOP)

    def _leave(self) -> None:
        if not self._away:
            self._leaving = True
            self.suspend_application_mode()
            self._leaving = False
            self._away = True

    def _continued(self) -> None:
        if self.hung_up:
            return  # the console is about to end
        # After SIGSTOP, which nobody is asked about, the terminal was not given back, and a shell has changed it.
        self._leave()
        self.before_return()
        self._away = False
        self.resume_application_mode()
