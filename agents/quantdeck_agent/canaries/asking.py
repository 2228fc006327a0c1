"""One prompt for both arms, for an operator's eyes: neither it nor the answers are kept or logged."""

from __future__ import annotations

import asyncio
import time

from quantdeck_agent.canaries.asker import AskError, EngineAsker
from quantdeck_agent.canaries.target import CanaryTarget, TargetOf
from quantdeck_core.errors import NotFoundError
from quantdeck_core.protocol.canary import ASK_DEADLINE_S, Ask, Asked, AskedArm
from quantdeck_core.protocol.gateway import VariantName
from quantdeck_core.quality.signals import text_signals


async def ask_arms(experiment: str, ask: Ask, target_of: TargetOf) -> Asked:
    """Ask the arms at the same time, greedily, past the gateway: no user's bucket and no verdict has a part in it.

    Raises:
        NotFoundError: there is no such experiment.
    """
    target = target_of(experiment)
    if target is None:
        raise NotFoundError(f"No experiment is called {experiment!r} here.", "`quantdeck experiment list` shows them.")
    variants = tuple(dict.fromkeys(ask.variants))
    arms = await asyncio.gather(*(_one(target, variant, ask) for variant in variants))
    texts = [arm.text for arm in arms if not arm.error]
    return Asked(arms=tuple(arms), same=texts[0] == texts[1] if len(texts) == 2 else None)


async def _one(target: CanaryTarget, variant: VariantName, ask: Ask) -> AskedArm:
    if not target.arm(variant):
        return AskedArm(variant=variant, error=f"the {variant} is not ready")
    replica = target.arm(variant)[0]
    asker = EngineAsker(replica)
    began = time.monotonic()
    try:
        try:
            said = await asker.answer(ask.prompt, ask.max_tokens, ASK_DEADLINE_S, chat=True)
        except AskError as error:
            if error.trouble != "refused":
                raise
            # A model without a chat template continues the text instead.
            left = max(1.0, ASK_DEADLINE_S - (time.monotonic() - began))
            said = await asker.answer(ask.prompt, ask.max_tokens, left, chat=False)
    except AskError as error:
        return AskedArm(variant=variant, engine=replica.engine, error=error.detail)
    finally:
        await asker.close()
    return AskedArm(
        variant=variant,
        engine=replica.engine,
        text=said.text,
        finish=said.finish,
        prompt_tokens=said.prompt_tokens,
        completion_tokens=said.completion_tokens,
        e2e_ms=round((time.monotonic() - began) * 1000, 1),
        signals=text_signals(said.text),
    )
