"""Where the real engines are. A test whose engine is not named is skipped."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engines.help.running import Running
from quantdeck_core.engines.command import Command


def program(variable: str) -> Path:
    """The program that a variable names; skips where there is none."""
    named = os.environ.get(variable)
    if not named:
        pytest.skip(f"{variable} names no program")
    return Path(named)


@pytest.fixture
def vllm() -> Path:
    """The `vllm` command."""
    return program("QUANTDECK_VLLM")


@pytest.fixture
def llama_server() -> Path:
    """The `llama-server` program."""
    return program("QUANTDECK_LLAMA_SERVER")


@pytest.fixture
def llama_cpp_python() -> Path:
    """The interpreter that has llama-cpp-python with its server."""
    return program("QUANTDECK_LLAMA_CPP_PYTHON")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start a command as the agent would; its process group is ended with the test."""
    started: list[Running] = []

    def one(command: Command, port: int, **around: str) -> Running:
        started.append(Running(command, port, tmp_path / f"engine-{len(started)}.log", around))
        return started[-1]

    yield one
    for running in started:
        running.end()
