"""Where nothing fits: what misses least, and what would make it fit."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import msgspec

from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.hardware.device import Device
from quantdeck_core.memory.change import changes
from quantdeck_core.recommend.answer import Nearest
from quantdeck_core.recommend.candidate import Placed, Planner
from quantdeck_core.recommend.layout import place
from quantdeck_core.recommend.options import Option, Options
from quantdeck_core.recommend.question import Question
from quantdeck_core.recommend.rank import is_at_home

_GIB = 1 << 30
_MOST_RAM_GIB = 4096
_AMOUNTS = (2, 4, 8, 16)
_SERVED_LESS = ("kv-dtype", "concurrency", "context")
"""Changes that keep format and devices; those were tried here already, or are tried with our own divisions."""


class Missed(NamedTuple):
    """A format that does not fit, however it is divided; `placed` is its widest division."""

    option: Option
    engine: str
    checkpoint: Checkpoint
    placed: Placed


def nearest(
    missed: list[Missed], question: Question, options: Options, plan: Planner, devices: Collection[Device]
) -> Nearest:
    """The smallest on the engine that such a machine is for, no last resort; and what would make it fit.

    Args:
        missed: at least one.
    """
    here = question.site.device
    one = min(
        missed,
        key=lambda each: (
            each.option.last_resort,
            not is_at_home(each.engine, here),
            each.placed.plan.total_bytes_per_gpu,
        ),
    )
    less = changes(plan, one.checkpoint, one.placed.serving, question.site, ())
    return Nearest(
        title=one.option.title,
        format=one.option.format,
        scheme=one.option.scheme,
        engine=one.engine,
        total_bytes_per_gpu=one.placed.plan.total_bytes_per_gpu,
        room_bytes_per_gpu=one.placed.plan.room_bytes_per_gpu or 0,
        changes=tuple(change for change in less if change.code in _SERVED_LESS),
        devices=_amount(one, question, options, plan),
        device=_device(one, question, options, plan, devices),
        memory_bytes=_memory(one, question, options, plan),
    )


def _fits(one: Missed, question: Question, options: Options, plan: Planner) -> bool:
    return place(plan, one.checkpoint, one.engine, question, options)[0] is not None


def _amount(one: Missed, question: Question, options: Options, plan: Planner) -> int | None:
    if question.site.device.kind != "gpu":
        return None
    for amount in _AMOUNTS:
        there = msgspec.structs.replace(question, site=question.site._replace(amount=amount))
        if amount > question.site.amount and _fits(one, there, options, plan):
            return amount
    return None


def _device(
    one: Missed, question: Question, options: Options, plan: Planner, devices: Collection[Device]
) -> str | None:
    here = question.site.device
    alike = [device for device in devices if (device.kind, device.vendor) == (here.kind, here.vendor)]
    for device in sorted(alike, key=lambda device: device.memory_mib):
        there = msgspec.structs.replace(question, site=question.site._replace(device=device))
        if device.memory_mib > here.memory_mib and device.sm >= here.sm and _fits(one, there, options, plan):
            return device.name
    return None


def _memory(one: Missed, question: Question, options: Options, plan: Planner) -> int | None:
    if question.site.device.kind != "cpu":
        return None
    gib = 4
    while gib <= _MOST_RAM_GIB:
        there = msgspec.structs.replace(question, site=question.site._replace(ram_bytes=gib * _GIB))
        if _fits(one, there, options, plan):
            return gib * _GIB
        gib *= 2
    return None
