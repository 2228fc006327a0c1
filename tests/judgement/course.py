"""A rollout as an operator runs it: a host with real engines, users who ask all the time, commands from a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from quantdeck.main import COMMANDS
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.host import HostStatus
from quantdeck_demo.model import sample_prompts
from support.deck import Deck, changed, deck
from support.waiting import eventually

USERS = 200
AT_ONCE = 6
PLAN = """
name = "int8_rollout_v1"
experiment = "e"
skip_soak_reason = "a test has no day"
hold_back = 2
[[step]]
weight = 10
soak = "3s"
min_outputs = 20
[[step]]
weight = 50
soak = "3s"
min_outputs = 60
[[step]]
weight = 100
soak = "2s"
min_outputs = 60
[gate]
canary = {canary}
"""


@dataclass
class Course:
    """A host under traffic.

    Attributes:
        answers: that users got; `errors` what they got instead, in words.
    """

    host: Deck
    folder: Path
    capsys: pytest.CaptureFixture[str]
    answers: int = 0
    errors: tuple[str, ...] = ()

    @property
    def fleet(self) -> Path:
        file = self.folder / "fleet.toml"
        if not file.exists():
            file.write_text(f'[[host]]\nname = "here"\nsocket = "{self.host.agent.socket()}"\n')
        return file

    async def run(self, *argv: str, code: int = 0) -> Any:
        """A command with `--json`; what it printed."""
        from importlib import import_module

        command = import_module(COMMANDS[argv[0]][0]).main
        arguments = [*argv[1:], "--json", "--fleet", str(self.fleet)]
        self.capsys.readouterr()
        assert await asyncio.to_thread(command, arguments) == code
        return json.loads(self.capsys.readouterr().out)

    async def start(self, *, canary: bool = True, gate: str = "") -> None:
        """`quantdeck rollout start` with the compressed plan; `gate` is more of its last table."""
        file = self.folder / "rollout.toml"
        file.write_text(PLAN.format(canary=str(canary).lower()) + gate)
        await self.run("rollout", "start", str(file))

    async def when(self, condition: Callable[[ExperimentStatus], Any], seconds: float = 60.0) -> ExperimentStatus:
        def holds(status: HostStatus) -> bool:
            return bool(status.experiments and condition(status.experiments[0]))

        return (await self.host.when(holds, seconds)).experiments[0]

    async def more(self, answers: int) -> None:
        """So many more users were answered."""
        wanted = self.answers + answers
        await eventually(lambda: self.answers >= wanted, 60, f"{answers} more answers, {self.errors[-3:]}")


@contextlib.asynccontextmanager
async def course(
    models: Path, folder: Path, capsys: pytest.CaptureFixture[str], control: str, treatment: str, **profile: Any
) -> AsyncIterator[Course]:
    """An experiment `e` of two built-in profiles at 0 %, and users who ask until the end of the block."""
    async with deck(models) as host:
        await host.deploy(changed(control, **profile), "control")
        await host.deploy(changed(treatment, **profile), "treatment")
        await host.experiment("control", "treatment")
        one = Course(host, folder, capsys)
        tasks = [asyncio.create_task(_users(one, number)) for number in range(AT_ONCE)]
        try:
            yield one
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _users(it: Course, number: int) -> None:
    prompts, chance = sample_prompts(100, Random(number)), Random(number)
    async with httpx.AsyncClient(base_url=it.host.gateway, timeout=60, trust_env=False) as http:
        while True:
            body = {"model": "assistant", "prompt": chance.choice(prompts), "max_tokens": 200}
            user = f"user-{chance.randrange(USERS)}"
            try:
                response = await http.post("/v1/completions", json=body, headers={"x-user-id": user})
            except httpx.HTTPError as error:
                it.errors += (f"{type(error).__name__}: {error}",)
                continue
            if response.status_code == 200:
                it.answers += 1
            else:
                it.errors += (f"{response.status_code} {response.text[:200]}",)
