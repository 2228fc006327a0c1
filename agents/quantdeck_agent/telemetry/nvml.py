"""Asking NVML: what it does not give is None, and only what ends a GPU or the whole session is an error."""

from __future__ import annotations

from typing import Any

import pynvml

_FATAL = (
    pynvml.NVMLError_Uninitialized,
    pynvml.NVMLError_DriverNotLoaded,
    pynvml.NVMLError_LibRmVersionMismatch,
    pynvml.NVMLError_GpuIsLost,
    pynvml.NVMLError_ResetRequired,
)
SESSION_ENDED = _FATAL[:3]
"""The driver was unloaded, loaded again or replaced under us: NVML must be opened anew."""


class Ask:
    """Questions to NVML, by the names that `pynvml` gives its functions.

    Args:
        nvml: what answers, `pynvml` or something like it.
    """

    def __init__(self, nvml: Any) -> None:
        self.nvml = nvml

    def __call__(self, function: str, *arguments: Any) -> Any:
        """An answer, or None where this GPU, driver or library does not give it.

        Raises:
            NVMLError: the GPU is lost, or the session has ended.
        """
        read = getattr(self.nvml, function, None)
        if read is None:
            return None
        try:
            return read(*arguments)
        except _FATAL:
            raise
        except pynvml.NVMLError:
            return None

    def number(self, function: str, *arguments: Any) -> int | None:
        """The same as a whole number."""
        answer = self(function, *arguments)
        return None if answer is None else int(answer)
