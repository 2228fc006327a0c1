"""Bounds and deadlines of the data plane."""

from __future__ import annotations

import msgspec

KIB = 1024
MIB = 1024 * KIB

HEADER_BYTES = 64 * KIB
BODY_BYTES = 16 * MIB
KEPT_BYTES = 1 * MIB
"""Of one answer, for the analyser."""
PROMPT_BYTES = 64 * KIB
"""Of a request's body that goes along with its answer where an experiment keeps flagged prompts; longer ones do not."""
TEE_BYTES = 8 * MIB
"""Answers that wait for the analyser; what does not fit is dropped and counted."""

QUEUED_BYTES = 64 * MIB
"""Requests of one arm that wait for a place."""

CONNECT_S = 2.0
CONNECT_TLS_S = 5.0
"""With the handshake, to an engine that may be far away."""
CONNECTS_AT_ONCE = 64
"""To one replica. A thousand at once take no less time, and memory that stays."""
CONNECT_PAUSE_S = 0.1
"""Before the only replica is asked for a connection once more."""
CLIENT_IDLE_S = 300
"""A kept-alive client that asks nothing."""
RETIRED_IDLE_S = 60
"""The same after an upgrade: long enough that no request is on its way, since a close would break it."""
CLIENT_STALL_S = 120
"""A client that does not read what it asked for."""
LINGER_S = 2
"""After a refusal, so that the client reads it before the connection goes."""
IDLE_CONNECTIONS = 512
"""Kept open to one replica; looked at once a second."""
REST_S = 0.2
"""After a stream, until its connection has stayed open."""
RESTING_CONNECTIONS = 8
"""At a time, to all engines together: the door keeps a descriptor for each."""
REST_AGAIN_S = 60.0
"""After an engine has closed a connection that rested."""
UPSTREAM_IDLE_S = 4.0
"""Below the 5 s after which uvicorn and cpp-httplib close an idle connection: a request must not meet that close."""
RETIRED_S = 3600.0
"""For answers in flight after an upgrade: nobody waits for the old process to end."""
ACK_S = 1.5
"""A worker that has not acknowledged a change by then is started anew; the agent's patience is 2 s."""


class Deadlines(msgspec.Struct, frozen=True, kw_only=True):
    """Patience with clients, with an engine and with a shutdown, in seconds.

    Attributes:
        header: for a request's header, from its first byte (of a new connection: from its beginning).
        body: for a request's body.
        first_byte: from the request to the head of the answer.
        between_events: silence within an answer.
        drain: for answers in flight when the gateway is told to end.
    """

    header: float = 10.0
    body: float = 30.0
    first_byte: float = 300.0
    between_events: float = 120.0
    drain: float = 30.0
