"""What of a GPU is read once, and what every ten seconds: many NVML calls take milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import pynvml

from quantdeck_agent.telemetry.nvml import Ask
from quantdeck_core.protocol.host import Ecc
from quantdeck_core.text import clean


@dataclass(frozen=True)
class Facts:
    """Never changes while the driver stays loaded."""

    index: int
    name: str
    uuid: str
    bus_id: str
    sm: int | None
    slowdown_c: int | None
    shutdown_c: int | None
    max_sm_clock_mhz: int | None

    @property
    def key(self) -> str:
        """The same over a reload of the driver, which may number GPUs anew."""
        return self.uuid or f"index {self.index}"


class Slow(NamedTuple):
    """Changes seldom."""

    power_limit_w: float | None
    ecc: Ecc
    pcie_generation: int | None
    pcie_width: int | None
    nvlinks: int | None
    mig: tuple[MigHandle, ...] | None


class MigHandle(NamedTuple):
    """A MIG device and how NVML is asked about it."""

    handle: Any
    name: str
    uuid: str


def read_facts(ask: Ask, handle: Any, index: int) -> Facts:
    """All of `Facts`."""
    capability = ask("nvmlDeviceGetCudaComputeCapability", handle)
    pci = ask("nvmlDeviceGetPciInfo", handle)
    return Facts(
        index=index,
        name=_text(ask("nvmlDeviceGetName", handle)) or "unknown",
        uuid=_text(ask("nvmlDeviceGetUUID", handle)),
        bus_id=_text(getattr(pci, "busId", None)),
        sm=None if capability is None else capability[0] * 10 + capability[1],
        slowdown_c=ask.number("nvmlDeviceGetTemperatureThreshold", handle, pynvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN),
        shutdown_c=ask.number("nvmlDeviceGetTemperatureThreshold", handle, pynvml.NVML_TEMPERATURE_THRESHOLD_SHUTDOWN),
        max_sm_clock_mhz=ask.number("nvmlDeviceGetMaxClockInfo", handle, pynvml.NVML_CLOCK_SM),
    )


def read_slow(ask: Ask, handle: Any) -> Slow:
    """All of `Slow`."""
    limit_mw = ask("nvmlDeviceGetEnforcedPowerLimit", handle)
    return Slow(
        power_limit_w=None if limit_mw is None else limit_mw / 1000,
        ecc=Ecc(
            _errors(ask, handle, pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED),
            _errors(ask, handle, pynvml.NVML_MEMORY_ERROR_TYPE_CORRECTED),
            _repair_pending(ask, handle),
        ),
        pcie_generation=ask.number("nvmlDeviceGetCurrPcieLinkGeneration", handle),
        pcie_width=ask.number("nvmlDeviceGetCurrPcieLinkWidth", handle),
        nvlinks=_nvlinks(ask, handle),
        mig=_mig(ask, handle),
    )


def _errors(ask: Ask, handle: Any, kind: int) -> int | None:
    return ask.number("nvmlDeviceGetTotalEccErrors", handle, kind, pynvml.NVML_VOLATILE_ECC)


def _repair_pending(ask: Ask, handle: Any) -> bool | None:
    """Ampere and newer remap rows; before that, pages were retired."""
    rows = ask("nvmlDeviceGetRemappedRows", handle)
    if rows is not None:
        return bool(rows[2])
    pages = ask("nvmlDeviceGetRetiredPagesPendingStatus", handle)
    return None if pages is None else bool(pages)


def _nvlinks(ask: Ask, handle: Any) -> int | None:
    """Active ones; None where the GPU has none at all."""
    active = None
    for link in range(pynvml.NVML_NVLINK_MAX_LINKS):
        state = ask("nvmlDeviceGetNvLinkState", handle, link)
        if state is None:
            break
        active = (active or 0) + bool(state)
    return active


def _mig(ask: Ask, handle: Any) -> tuple[MigHandle, ...] | None:
    mode = ask("nvmlDeviceGetMigMode", handle)
    if mode is None or mode[0] != pynvml.NVML_DEVICE_MIG_ENABLE:
        return None
    places = range(ask("nvmlDeviceGetMaxMigDeviceCount", handle) or 0)
    found = (ask("nvmlDeviceGetMigDeviceHandleByIndex", handle, place) for place in places)
    return tuple(
        MigHandle(one, _text(ask("nvmlDeviceGetName", one)), _text(ask("nvmlDeviceGetUUID", one)))
        for one in found
        if one is not None
    )


def _text(answer: Any) -> str:
    """Old libraries answer with bytes."""
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer or "")
    return clean(text, one_line=True)[:96]
