"""`quantdeck COMMAND ...`: finds the part that was named and imports nothing else."""

from __future__ import annotations

import os
import sys
from difflib import get_close_matches
from importlib import import_module

import msgspec

from quantdeck_core.errors import ErrorInfo, ExitCode, QuantdeckError, exit_code_of

COMMANDS = {
    "demo": ("quantdeck_demo.cli", "everything at once on this machine: engines, gateway, traffic, console"),
    "console": ("quantdeck_console.commands.console", "the terminal console of a fleet"),
    "fleet": ("quantdeck_console.commands.fleet", "the fleet at a glance, as text or JSON"),
    "logs": ("quantdeck_console.commands.logs", "logs of engines, gateways and agents, across hosts"),
    "deploy": ("quantdeck_console.commands.deploy", "start an engine from a profile, or replace one"),
    "stop": ("quantdeck_console.commands.stop", "drain and end an engine"),
    "restart": ("quantdeck_console.commands.restart", "start an engine's processes anew"),
    "scale": ("quantdeck_console.commands.scale", "more or fewer replicas of an engine"),
    "engine": ("quantdeck_console.commands.engine", "one engine: replicas, starts, what changed, timeline"),
    "operation": ("quantdeck_console.commands.operation", "what agents are doing: list, show, cancel"),
    "model": ("quantdeck_console.commands.model", "models of the hosts: list, push, pull, verify, remove"),
    "experiment": ("quantdeck_console.commands.experiment", "create, list, show, clear, finish experiments"),
    "weight": ("quantdeck_console.commands.weight", "change the treatment's share of users"),
    "rollout": (
        "quantdeck_console.commands.rollout",
        "a plan that moves users on: start, status, pause, resume, abort",
    ),
    "freeze": ("quantdeck_console.commands.freeze", "hold every rollout where it is; rollbacks still happen"),
    "unfreeze": ("quantdeck_console.commands.unfreeze", "let rollouts go on"),
    "drill": ("quantdeck_console.commands.drill", "rehearse a rollback"),
    "incident": ("quantdeck_console.commands.incident", "what happened: findings, timeline, trends, replay"),
    "who": ("quantdeck_console.commands.who", "which arm a user is on, and why"),
    "alerts": ("quantdeck_console.commands.alerts", "pages: who was told, who has it; acknowledge, snooze, hand over"),
    "canary": ("quantdeck_console.commands.canary", "ask both arms the fixed prompts, and compare"),
    "latency": ("quantdeck_console.commands.latency", "measure how fast an arm answers, before it has users"),
    "ask": ("quantdeck_console.commands.ask", "one prompt to both arms, side by side"),
    "rollback": ("quantdeck_console.commands.rollback", "everyone back to the control, latched"),
    "judge": ("quantdeck_console.commands.judge", "what the judge says of recorded answers of both arms"),
    "guard": ("quantdeck_console.commands.guard", "carry a rollback on one gateway to all, and what is pending"),
    "check": ("quantdeck_console.commands.check", "what a checkpoint is and which engines can serve it"),
    "plan": ("quantdeck_console.commands.plan", "whether it fits, how often, and what would make it fit"),
    "recommend": ("quantdeck_console.commands.recommend", "which format, engine and division among GPUs, with reasons"),
    "measure": ("quantdeck_console.commands.measure", "what a load really took, for the next plan"),
    "profile": ("quantdeck_console.commands.profile", "list, show, validate, render and write profiles"),
    "agent": ("quantdeck_agent.cli", "the daemon of a host"),
    "gateway": ("quantdeck_gateway.cli", "the gateway alone"),
    "gateway-key": ("quantdeck_console.commands.gateway_key", "a new API key for clients of a gateway"),
}
"""Each module has `main(argv) -> int`. A string and not an import: no part may load another one's dependencies."""


def main() -> int:
    """Run one command; every error of ours ends as two lines, or as JSON where that was asked for."""
    argv = sys.argv[1:]
    if not argv or argv[0] in ("-h", "--help", "help"):
        sys.stdout.write(usage())
        return ExitCode.DONE if argv else ExitCode.USAGE
    if argv[0] in ("-V", "--version"):
        from importlib.metadata import version  # takes as long to import as all the rest

        sys.stdout.write(f"quantdeck {version('quantdeck')}\n")
        return ExitCode.DONE
    name, rest = argv[0], argv[1:]
    if name not in COMMANDS:
        close = next(iter(get_close_matches(name, COMMANDS, 1)), "")
        hint = f"Did you mean `quantdeck {close}`?" if close else "`quantdeck --help` lists the commands."
        _complain(ErrorInfo(code="unknown-command", title="Usage", detail=f"There is no {name!r}.", hint=hint), False)
        return ExitCode.USAGE
    try:
        return int(import_module(COMMANDS[name][0]).main(rest))
    except QuantdeckError as error:
        _complain(error.info(), "--json" in rest)
        return exit_code_of(error)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone, as `| head` does. What is left in the buffer would break Python's own exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE


def usage() -> str:
    """The list of commands."""
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:<{width}}  {summary}" for name, (_, summary) in COMMANDS.items())
    return f"usage: quantdeck COMMAND [--help]\n\n{lines}\n"


def _complain(error: ErrorInfo, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(msgspec.json.encode({"error": error}).decode() + "\n")
        return
    sys.stderr.write(f"error: {error.detail}\n")
    if error.hint:
        sys.stderr.write(f"  next: {error.hint}\n")
