"""A rollback that somebody wants on one gateway and that its agent has not acknowledged yet."""

from __future__ import annotations

import msgspec

KEPT_S = 86_400.0
"""A wish that could not be carried out for a day is reported instead: the world has changed, and an agent forgets after
a day which request ids it has answered."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """One rollback on one host.

    Attributes:
        by, reason: for the host's timeline.
        asked: UNIX time at which it was last asked for; for a latch that is carried, when that one began.
        made: UNIX time at which the request id was made.
        source: the host whose latch it carries; empty for a person's.
    """

    experiment: str
    host: str
    request_id: str
    by: str
    reason: str
    asked: float
    made: float
    source: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is known by: a command sends one request id to all of its hosts."""
        return self.experiment, self.host, self.request_id

    def renewed(self, by: str, reason: str, now: float) -> Wish:
        """The same one, asked for again."""
        return msgspec.structs.replace(self, by=by, reason=reason, asked=now)

    def request_after(self, cleared: float) -> str:
        """What to send: an id that was made before a clear may have been used up, and would be answered as then.

        Args:
            cleared: UNIX time of the last clear on the host, 0 for never.
        """
        return self.request_id if cleared <= self.made else f"{self.request_id}-{int(cleared)}"


def personal(wishes: tuple[Wish, ...], experiment: str, host: str) -> Wish | None:
    """What a person wants of an experiment on a host."""
    found = (one for one in wishes if (one.experiment, one.host, one.source) == (experiment, host, ""))
    return next(found, None)
