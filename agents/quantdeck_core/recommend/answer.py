"""What `quantdeck recommend` answers."""

from __future__ import annotations

import msgspec

from quantdeck_core.compat.rules import Answer as Answered
from quantdeck_core.memory.change import Change
from quantdeck_core.recommend.options import Quality
from quantdeck_core.recommend.question import Calibration, Priority, Use


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The question, with what was filled in.

    Attributes:
        shape_of: whose shape was taken, where only a size was known.
        long: whether the context counts as long.
        link: how the devices are joined.
    """

    device: str
    devices: int
    link: str
    model: str
    parameters: int | None
    shape_of: str | None
    first: Priority
    context: int
    long: bool
    sequences: int | None
    use: Use
    calibration: Calibration


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One way to serve the model; bytes unless it says otherwise.

    Attributes:
        title: for people.
        replicas: one on each group of `tensor_parallel` x `pipeline_parallel` devices.
        weights_bytes_nominal: as people count: parameters x bits / 8.
        weights_bytes: with scales, zero points and what stays in 16 bits.
        max_concurrency: full sequences at once in one replica.
        own: whether the checkpoint is there already.
        control: not quantized: what a rollout is compared with.
        make: how to get such a checkpoint; empty where it is there.
        profile: a built-in one to start from.
    """

    rank: int
    title: str
    format: str
    scheme: str
    bits: int
    group_size: int | None
    engine: str
    verdict: Answered
    tensor_parallel: int
    pipeline_parallel: int
    replicas: int
    weights_bytes_nominal: int | None
    weights_bytes: int
    weights_bytes_per_gpu: int
    total_bytes_per_gpu: int
    max_concurrency: int
    quality: Quality
    own: bool
    control: bool
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    make: tuple[str, ...]
    profile: str | None


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """A format that is not recommended, and why."""

    title: str
    format: str
    scheme: str
    engine: str
    reason: str


class Nearest(msgspec.Struct, frozen=True, kw_only=True):
    """Where nothing fits, or only a last resort: the format that misses least, and what would make it fit.

    Attributes:
        changes: with which it fits here: another cache, fewer sequences, shorter ones.
        devices: how many of this device it needs; None where more of them do not help.
        device: the smallest of the same kind on which it fits; None where none does.
        memory_bytes: RAM with which it fits, where RAM is what is missing.
    """

    title: str
    format: str
    scheme: str
    engine: str
    total_bytes_per_gpu: int
    room_bytes_per_gpu: int
    changes: tuple[Change, ...] = ()
    devices: int | None = None
    device: str | None = None
    memory_bytes: int | None = None


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """All answers, the best first.

    Attributes:
        notes: what holds for all of them.
        nearest: only where there is no answer, or none but a last resort.
    """

    question: Asked
    answers: tuple[Answer, ...]
    rejected: tuple[Rejected, ...]
    notes: tuple[str, ...] = ()
    nearest: Nearest | None = None
