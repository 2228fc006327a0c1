"""All NVIDIA GPUs through NVML, and a clear word where there are none or one is lost."""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

import pynvml

from quantdeck_agent.telemetry.gpu import Gpu, Memory
from quantdeck_agent.telemetry.gpu_facts import Facts
from quantdeck_agent.telemetry.nvml import SESSION_ENDED, Ask
from quantdeck_core.protocol.host import GpuSample, LostGpu
from quantdeck_core.text import clean

REOPEN_AFTER_S = 30.0
"""How often a lost GPU, or a driver that is not there, is looked for again. Opening NVML can take a second."""


class GpuReading(NamedTuple):
    """All GPUs at one time; `note` says why there are none."""

    gpus: tuple[GpuSample, ...] = ()
    lost: tuple[LostGpu, ...] = ()
    note: str = ""
    driver: str = ""


class Gpus:
    """NVML, opened once and again after the driver was loaded anew.

    Args:
        nvml: what answers, `pynvml` or something like it.
    """

    def __init__(self, nvml: Any = pynvml) -> None:
        self._ask = Ask(nvml)
        self._gpus: list[Gpu] = []
        self._known: dict[str, Facts] = {}
        self._missing: dict[int, str] = {}
        self._note = ""
        self._driver = ""
        self._open = False
        self._retry_at: float | None = None

    def read(self, ram: Memory, now: float) -> GpuReading:
        """One reading of each GPU at a monotonic time, seconds. It may take long: not for the event loop.

        Args:
            ram: of the machine, which GPUs without memory of their own use.
        """
        if (self._retry_at is None and not self._open) or (self._retry_at is not None and now >= self._retry_at):
            self._reopen(now)
        try:
            return self._read(ram, now)
        except SESSION_ENDED:
            self._reopen(now)
        try:
            return self._read(ram, now)
        except SESSION_ENDED as error:
            self._close(f"no GPU: {_words(error)}", now)
            return self._read(ram, now)

    def _read(self, ram: Memory, now: float) -> GpuReading:
        samples, notes = [], {}
        for gpu in self._gpus:
            try:
                samples.append(gpu.read(ram, now))
            except SESSION_ENDED:
                raise
            except pynvml.NVMLError as error:
                notes[gpu.facts.key] = _words(error)
        answering = {sample.uuid or f"index {sample.index}" for sample in samples}
        lost = [
            LostGpu(index=one.index, name=one.name, note=self._why(key, notes), uuid=one.uuid, bus_id=one.bus_id)
            for key, one in self._known.items()
            if key not in answering
        ]
        lost += [LostGpu(index=index, name="unknown", note=note) for index, note in self._missing.items()]
        if lost and self._retry_at is None:
            self._retry_at = now + REOPEN_AFTER_S
        return GpuReading(tuple(samples), tuple(lost), self._note, self._driver)

    def _why(self, key: str, notes: dict[str, str]) -> str:
        return notes.get(key) or self._note.removeprefix("no GPU: ") or "the driver does not list it any more"

    def _reopen(self, now: float) -> None:
        if self._open:
            self._close("", now)
        self._retry_at = None
        nvml = self._ask.nvml
        try:
            nvml.nvmlInit()
            self._open = True
            self._driver = _words(self._ask("nvmlSystemGetDriverVersion") or "")
            for index in range(nvml.nvmlDeviceGetCount()):
                self._add(index)
        except pynvml.NVMLError_LibraryNotFound:
            self._close("no GPU: NVML library not found", now)
        except pynvml.NVMLError as error:
            self._close(f"no GPU: {_words(error)}", now)
        else:
            self._note = "" if self._gpus or self._missing else "no GPU: the driver lists none"

    def _add(self, index: int) -> None:
        try:
            gpu = Gpu(self._ask, self._ask.nvml.nvmlDeviceGetHandleByIndex(index), index)
        except SESSION_ENDED:
            raise
        except pynvml.NVMLError as error:
            if all(one.index != index for one in self._known.values()):
                self._missing[index] = _words(error)
            return
        self._gpus.append(gpu)
        self._known[gpu.facts.key] = gpu.facts

    def _close(self, note: str, now: float) -> None:
        self._gpus, self._missing, self._note = [], {}, note
        self._retry_at = now + REOPEN_AFTER_S
        if self._open:
            self._open = False
            with contextlib.suppress(pynvml.NVMLError):
                self._ask.nvml.nvmlShutdown()


def _words(error: object) -> str:
    text = error.decode("utf-8", "replace") if isinstance(error, bytes) else str(error)
    return clean(text, one_line=True)[:120]
