"""Operations that are under way: one for each engine, on disk before it is acknowledged, and told to watchers."""

from __future__ import annotations

import logging

import msgspec

from quantdeck_agent.engines.errors import NameInUseError
from quantdeck_agent.hub import Hub
from quantdeck_agent.store import StateWriteError, Store
from quantdeck_core.errors import NotFoundError
from quantdeck_core.protocol.operation import Operation

log = logging.getLogger("quantdeck.agent")
KIND = "operation"
_LAST = "operation-number"
KEPT = 50
"""Ended ones that are kept."""


class _Last(msgspec.Struct, frozen=True, kw_only=True):
    number: int


class Operations:
    """What goes on, and what went on lately."""

    def __init__(self, store: Store, hub: Hub) -> None:
        self._store, self._hub = store, hub
        known = sorted(store.all(KIND, Operation).values(), key=_number)
        self._all = {one.id: one for one in known}
        for one in known:
            self._hub.put_operation(one)

    def all(self) -> tuple[Operation, ...]:
        """Oldest first."""
        return tuple(self._all.values())

    def named(self, identifier: str) -> Operation:
        """One of them.

        Raises:
            NotFoundError: there is none.
        """
        found = self._all.get(identifier)
        if found is None:
            raise NotFoundError(f"There is no operation {identifier!r} here.", "`quantdeck operation list` shows them.")
        return found

    def of_engine(self, name: str) -> Operation | None:
        """What is being done with an engine now."""
        under_way = (one for one in self._all.values() if one.engine == name and one.ended is None)
        return next(under_way, None)

    def under_way(self) -> tuple[Operation, ...]:
        """Those that have not ended."""
        return tuple(one for one in self._all.values() if one.ended is None)

    def require_free(self, name: str) -> None:
        """Refuse a second operation on an engine.

        Raises:
            NameInUseError: one is under way.
        """
        if running := self.of_engine(name):
            words = {"stop": "stopped", "scale": "scaled", "recover": "started again", "restart": "restarted"}
            raise NameInUseError(
                f"{name} is being {words.get(running.kind, 'deployed')} already ({running.id}).",
                f"Wait until it is done, or end it: quantdeck operation cancel {running.id}.",
            )

    def next_id(self) -> str:
        """A number that was never used here."""
        last = self._store.all(_LAST, _Last).get("last")
        number = last.number + 1 if last else 1
        self._store.put(_LAST, "last", _Last(number=number))
        return f"op-{number}"

    def put(self, operation: Operation) -> None:
        """Remember it as it is now: on disk where a step or the whole of it came to an end, else in memory.

        Raises:
            StateWriteError: it is in memory alone.
        """
        before = self._all.get(operation.id)
        self._all[operation.id] = operation
        if before != operation:
            self._hub.put_operation(operation)
        if before is None or _milestones(before) != _milestones(operation):
            self._store.put(KIND, operation.id, operation)
        if operation.ended is not None:
            self._forget_old()

    def further(self, operation: Operation) -> None:
        """The same for one that is under way: it goes on, and after a crash again from the step that was saved last."""
        try:
            self.put(operation)
        except StateWriteError as error:
            log.warning("%s goes on unsaved: %s", operation.id, error.detail)

    def drop(self, operation: Operation) -> None:
        """It could not be persisted, so it never was."""
        self._all.pop(operation.id, None)
        self._hub.remove_operation(operation.id)

    def _forget_old(self) -> None:
        ended = [one.id for one in self._all.values() if one.ended is not None]
        for old in ended[:-KEPT]:
            self._store.delete(KIND, old)
            del self._all[old]


def _milestones(operation: Operation) -> tuple[object, ...]:
    return (operation.state, *(step.state for step in operation.steps))


def _number(operation: Operation) -> int:
    return int(operation.id.rpartition("-")[2])
