"""Whether a process still runs, for those who ask several times a second."""

from __future__ import annotations

import os
import select


class Life:
    """A descriptor of one process: a question costs microseconds, and it never means another one with the same PID."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._poll = select.poll()
        self._poll.register(file, select.POLLIN)

    @classmethod
    def of(cls, pid: int) -> Life | None:
        """Take hold of whoever has this PID now; None where nobody has, or the kernel has no such descriptors."""
        try:
            return cls(os.pidfd_open(pid))
        except (OSError, AttributeError):
            return None

    def ended(self) -> bool:
        """Whether it has ended, collected by its parent or not."""
        return bool(self._poll.poll(0))

    def close(self) -> None:
        """Let go of it."""
        os.close(self._file)
