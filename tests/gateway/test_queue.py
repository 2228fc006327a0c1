"""The queue keeps its order and its sums whatever comes and leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.protocol.gateway import Priority
from quantdeck_gateway.queue import RANK, Queue


@dataclass(eq=False)
class One:
    priority: Priority
    size: int
    since: float


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(("push", "push", "pop", "leave", "give up", "expire")),
            st.sampled_from(tuple(RANK)),
            st.integers(0, 100),
        ),
        max_size=60,
    )
)
def test_like_a_sorted_list(steps: list[tuple[str, Priority, int]]) -> None:
    queue: Queue[One] = Queue()
    model: list[One] = []

    def order(one: One) -> tuple[int, float]:
        return RANK[one.priority], one.since

    for now, (step, priority, size) in enumerate(steps):
        if step == "push":
            model.append(One(priority, size, now))
            queue.push(model[-1])
        elif step == "pop":
            first = min(model, key=order, default=None)
            assert queue.pop() is first
            if first is not None:
                model.remove(first)
        elif step == "leave" and model:
            one = model.pop(size % len(model))
            assert queue.remove(one)
            assert not queue.remove(one)
        elif step == "give up":
            low = [one for one in model if one.priority == "low"]
            assert queue.youngest_low() is (low[-1] if low else None)
        elif step == "expire":
            old = [one for one in model if one.since < now - size]
            assert set(queue.older_than(now - size)) == set(old)
            model = [one for one in model if one not in old]
        assert (len(queue), queue.bytes) == (len(model), sum(one.size for one in model))
        assert queue.lengths() == tuple(sum(one.priority == name for one in model) for name in RANK)


@pytest.mark.parametrize("take", [Queue.pop, Queue.youngest_low])
def test_an_empty_one_has_nobody(take: Callable[[Queue[One]], One | None]) -> None:
    assert take(Queue()) is None
