"""Limits at what a service shows by itself."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from quantdeck_core.drift.learned import ArmBlock, Block, BlockLog, LearnedLimit, learned_limits
from quantdeck_core.drift.thresholds import Learning
from support.answers import observation

LEARN = Learning()


def service(hours: int, *, swing: float = 0.0, outputs: int = 1_000, seed: int = 1) -> list[Block]:
    """Two alike arms of which 2 % loop, give or take a swing by the hour."""
    random = Random(seed)

    def arm(share: float) -> ArmBlock:
        loops = sum(random.random() < share for _ in range(outputs))
        return ArmBlock(outputs=outputs, repetitions=loops, words=int(random.gauss(100, 1) * outputs))

    blocks = []
    for hour in range(hours):
        share = 0.02 + swing * random.choice((-1, 1))
        blocks.append(Block(hour=hour, control=arm(share), treatment=arm(share)))
    return blocks


def limit(blocks: list[Block], signal: str = "repetition") -> LearnedLimit:
    return next(one for one in learned_limits(blocks, LEARN, 500) if one.signal == signal)


def test_nothing_is_learned_from_less_than_a_day_or_from_quiet_hours() -> None:
    assert learned_limits(service(23), LEARN, 500) == ()
    assert learned_limits(service(48, outputs=49), LEARN, 500) == ()
    assert learned_limits(service(48), Learning(on=False), 500) == ()
    assert len(learned_limits(service(24), LEARN, 500)) == 4


def test_hours_that_only_count_differently_leave_the_noise_of_a_window() -> None:
    learned = limit(service(48))
    assert learned.mean == pytest.approx(0.02, abs=0.003)
    # 3 standard errors of a share of 2 % in 500 answers.
    assert learned.breach == pytest.approx(0.02 + 3 * (0.02 * 0.98 / 500) ** 0.5, abs=0.008)


def test_a_service_that_swings_by_itself_gets_wider_limits() -> None:
    steady, swinging = limit(service(48)), limit(service(48, swing=0.015))
    assert swinging.sd == pytest.approx(0.015, abs=0.004)
    assert swinging.breach > steady.breach + 0.01
    assert swinging.mean < swinging.watch < swinging.breach


def test_days_count_once_there_are_seven() -> None:
    assert (limit(service(6 * 24)).unit, limit(service(7 * 24)).unit) == ("hours", "days")
    assert limit(service(7 * 24)).blocks == 7


def test_lengths_are_ratios_to_the_control() -> None:
    learned = limit(service(48), "length")
    assert learned.mean == pytest.approx(100, abs=1)
    assert 1.0 < learned.watch < learned.breach < 1.1


def test_hours_are_closed_once_and_not_counted_again_after_a_restart() -> None:
    log = BlockLog()
    heard = [observation(t=hour * 3600.0 + number, repetition=number == 0) for hour in (5, 6) for number in range(3)]
    closes = [log.add(one) for one in heard]
    assert closes.count(True) == 1
    assert log.closed[0].treatment == ArmBlock(outputs=3, repetitions=1, words=120)
    kept = msgspec.json.decode(msgspec.json.encode(log.closed), type=list[Block])
    again = BlockLog(kept)
    for one in heard:
        again.add(one)
    assert again.closed == log.closed
