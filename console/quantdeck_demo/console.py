"""The demo in the console: the same app as for a real fleet, with traffic behind it and a way to break things."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random

from quantdeck_console.actions.extra import ExtraAction
from quantdeck_console.app import DeckApp
from quantdeck_console.link.ssh_fleet import SshFleet
from quantdeck_demo.checkpoints import Models
from quantdeck_demo.model import sample_prompts
from quantdeck_demo.place import Place
from quantdeck_demo.setup import EXPERIMENT, Progress, Stage, damage, deploy_everything, hosts_up, repair
from quantdeck_demo.split_check import SplitCheck
from quantdeck_demo.traffic import Traffic


async def run_console(place: Place, models: Models, port: int, rate: float, say: Progress) -> int:
    """Hosts first, then the console at once: engines become ready before the user's eyes."""
    async with hosts_up(place, models, port, say) as stage:
        say(f"gateway: {stage.gateway_url}/v1   scripts: quantdeck fleet --fleet {stage.fleet_file}")
        app = DeckApp(
            SshFleet(stage.fleet),
            extra_actions=_extra_actions(stage),
            title="quantdeck demo",
            by="demo",
            background=lambda: _background(stage, rate),
            command_options=("--fleet", str(stage.fleet_file)),
        )
        await app.run_async(mouse=False)
        return app.return_code or 0


async def _background(stage: Stage, rate: float) -> None:
    """Engines, experiment, then two hundred users until the console ends."""
    await deploy_everything(stage)
    prompts = sample_prompts(400, Random(7))
    await Traffic(stage.gateway_url, "assistant", prompts, SplitCheck(EXPERIMENT), rate).run()


def _extra_actions(stage: Stage) -> tuple[ExtraAction, ...]:
    def action(title: str, text: str, work: Callable[[Stage], Awaitable[object]], done: str) -> ExtraAction:
        async def run() -> str:
            await work(stage)
            return done

        return ExtraAction(title=title, help=text, run=run)

    return (
        action(
            "demo: damage the treatment",
            "swap a broken checkpoint in: it answers in loops while its health check stays green",
            damage,
            "the treatment now serves a broken checkpoint",
        ),
        action(
            "demo: repair the treatment",
            "put the healthy quantized checkpoint back",
            repair,
            "the treatment serves the healthy checkpoint again",
        ),
    )
