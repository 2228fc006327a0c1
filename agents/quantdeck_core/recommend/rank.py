"""The order of candidates: one rule after the other, each of which can be said in a sentence.

A later rule only decides among those that all earlier rules found equal. There are no weights and no sums.
"""

from __future__ import annotations

from collections.abc import Callable

from quantdeck_core.hardware.device import Device
from quantdeck_core.profile.names import LLAMACPP
from quantdeck_core.recommend.candidate import Candidate
from quantdeck_core.recommend.options import Options, Order
from quantdeck_core.recommend.question import Priority, Question

_LLAMACPP_HOME = ("cpu", "edge", "apple")


class _Case:
    """A candidate with what the question makes of it."""

    def __init__(self, candidate: Candidate, question: Question, options: Options) -> None:
        self.candidate, self.question, self.limits = candidate, question, options.limits
        self.long = options.is_long(question)
        self.order: Order = candidate.order(self.long, question.calibration == "mismatched")


Rule = Callable[[_Case], int]
"""The smaller, the earlier."""


def made_for_use(case: _Case) -> int:
    """What is for development alone comes first there."""
    return 0 if case.candidate.option.uses and "production" not in case.candidate.option.uses else 1


def last_resort(case: _Case) -> int:
    """Three and two bits come after everything else."""
    return int(case.candidate.option.last_resort)


def is_at_home(engine: str, device: Device) -> bool:
    """llama.cpp on machines without a GPU of their own, vLLM on GPUs."""
    return (engine in LLAMACPP) == (device.kind in _LLAMACPP_HOME)


def at_home(case: _Case) -> int:
    """The engine that this kind of machine is for."""
    return int(not is_at_home(case.candidate.engine, case.question.site.device))


def leaves_room(case: _Case) -> int:
    """vLLM: a smaller checkpoint, where weights crowd the GPU and leave room for a few sequences only."""
    return int(is_crowded(case.candidate, case.limits.crowded_share, case.limits.few_sequences))


def fewest_bits(case: _Case) -> int:
    """Bits of a weight."""
    return case.candidate.option.bits


def holds_long_context(case: _Case) -> int:
    """At long context, formats in which keys and values are less exact come later."""
    usual = case.candidate.option.order
    return int(case.order.balance > usual.balance and case.long)


def fewest_bytes(case: _Case) -> int:
    """Bytes of weights."""
    return case.candidate.checkpoint.weights_bytes


def quality(case: _Case) -> int:
    """The smaller loss, after what saves memory at almost none."""
    return case.order.quality


def speed(case: _Case) -> int:
    """The faster format."""
    return case.order.speed


def balance(case: _Case) -> int:
    """The lesson's recommendation."""
    return case.order.balance


_ALWAYS: tuple[Rule, ...] = (made_for_use, last_resort, at_home)
RULES: dict[Priority, tuple[Rule, ...]] = {
    "balance": (*_ALWAYS, leaves_room, balance),
    "quality": (*_ALWAYS, quality, balance),
    "throughput": (*_ALWAYS, leaves_room, speed, balance),
    "memory": (*_ALWAYS, fewest_bits, holds_long_context, fewest_bytes, quality, balance),
    "latency": (*_ALWAYS, leaves_room, speed, balance),
}
"""What comes first -> the rules in their order. Where all agree, the table's order decides."""


def ranked(candidates: list[Candidate], question: Question, options: Options) -> list[Candidate]:
    """The best first."""
    rules = RULES[question.first]
    cases = [_Case(candidate, question, options) for candidate in candidates]
    cases.sort(key=lambda case: tuple(rule(case) for rule in rules))
    return [case.candidate for case in cases]


def is_crowded(candidate: Candidate, share: float, few: int) -> bool:
    """Whether weights take more than a share of the room and fewer sequences than `few` fit beside them.

    Of vLLM only: llama.cpp is not chosen for many sequences at once.
    """
    return candidate.engine not in LLAMACPP and candidate.placed.crowding > share and candidate.placed.sequences < few
