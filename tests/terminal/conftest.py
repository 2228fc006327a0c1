"""What all of these tests need; where it cannot be had they are skipped, and say why."""

from __future__ import annotations

import pytest

from support.ssh import NO_SSHD
from support.tmux import TMUX, WHY_NOT


@pytest.fixture(autouse=True, scope="session")
def programs() -> None:
    """tmux and OpenSSH's server."""
    if not TMUX:
        pytest.skip(WHY_NOT)
    if NO_SSHD:
        pytest.skip(NO_SSHD)
