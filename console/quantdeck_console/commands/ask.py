"""`quantdeck ask EXPERIMENT PROMPT`: the same prompt to both arms, side by side."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import get_args

from quantdeck_console.commands.common import new_request_id, parser_for, positive, who
from quantdeck_console.commands.each_gateway import ask_each
from quantdeck_console.link.canary_client import CanaryClient
from quantdeck_core.errors import ExitCode
from quantdeck_core.fleet.cells import duration, percent
from quantdeck_core.protocol.canary import MAX_ASK_TOKENS, Ask, Asked, AskedArm
from quantdeck_core.protocol.gateway import VariantName


def main(argv: list[str]) -> int:
    """Ask; the answers go to the screen and nowhere else. 1 where an arm gave none."""
    parser = parser_for("ask", "Ask both arms the same prompt, greedily; nothing is kept.")
    parser.add_argument("experiment")
    parser.add_argument("prompt", help="the prompt; - reads it from the standard input")
    arms = parser.add_mutually_exclusive_group()
    arms.add_argument("--both", action="store_true", help="both arms (the default)")
    arms.add_argument("--arm", choices=get_args(VariantName), help="one of them only")
    parser.add_argument("--max-tokens", type=positive, default=200, help=f"of the answer, to {MAX_ASK_TOKENS}")
    options = parser.parse_args(argv)
    if options.max_tokens > MAX_ASK_TOKENS:
        parser.error(f"--max-tokens is at most {MAX_ASK_TOKENS}")
    prompt = sys.stdin.read() if options.prompt == "-" else options.prompt
    if not prompt:
        parser.error("the prompt is empty")
    variants: tuple[VariantName, ...] = (options.arm,) if options.arm else get_args(VariantName)
    wish = Ask(request_id=new_request_id(), by=who(), prompt=prompt, variants=variants, max_tokens=options.max_tokens)

    async def question(client: CanaryClient) -> Asked:
        return await client.ask_arms(options.experiment, wish)

    def code(asked: Asked) -> ExitCode:
        return ExitCode.FAILED if any(arm.error for arm in asked.arms) else ExitCode.DONE

    return ask_each(options, question, _lines, code)


def _lines(asked: Asked) -> Iterator[str]:
    yield {True: "both answer the same", False: "the answers differ", None: "one arm answers"}[asked.same]
    for arm in asked.arms:
        yield from _arm(arm)


def _arm(arm: AskedArm) -> Iterator[str]:
    yield f"-- {arm.variant} {arm.engine}: {arm.error or _signals(arm)}"
    yield from arm.text.splitlines()


def _signals(arm: AskedArm) -> str:
    parts = [f"{arm.completion_tokens} tokens" if arm.completion_tokens is not None else "", duration(arm.e2e_ms)]
    parts.append("cut at the limit" if arm.finish == "length" else "")
    if arm.signals:
        parts += ["REPEATS ITSELF" if arm.signals.repetition else "", "REFUSES" if arm.signals.refusal else ""]
        parts.append(f"coherence {percent(arm.signals.coherence)}")
    return ", ".join(part for part in parts if part)
