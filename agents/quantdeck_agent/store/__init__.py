"""What the agent must not forget: a database, and a journal that can make it again."""

from quantdeck_agent.store.errors import (
    StateBusyError,
    StateDamagedError,
    StateNewerError,
    StateUnusableError,
    StateWriteError,
)
from quantdeck_agent.store.store import Store

__all__ = [
    "StateBusyError",
    "StateDamagedError",
    "StateNewerError",
    "StateUnusableError",
    "StateWriteError",
    "Store",
]
