"""The end of an experiment: the engine that is not the baseline is stopped once nobody is sent there any more."""

from __future__ import annotations

import msgspec

from quantdeck_agent.experiments.controller import Controller
from quantdeck_agent.experiments.registry import Registry
from quantdeck_agent.gateway.router import Router
from quantdeck_core.errors import NotFoundError, QuantdeckError
from quantdeck_core.rollout.events import SYSTEM


async def retire(controller: Controller, registry: Registry, router: Router | None, now: float) -> None:
    """Stop the engine that a finished experiment leaves over, once the gateway has acknowledged that nobody goes there.

    One that another experiment needs stays. What cannot be stopped now is tried again with the next call.
    """
    record = controller.record
    if not record.retire or router is None or not router.acknowledged(registry.route(record)):
        return
    others = {engine for one in registry for engine in (one.record.control, one.record.treatment)}
    text = f"{record.retire} is retired"
    if record.retire in others:
        text = f"{record.retire} stays: another experiment needs it"
    elif registry.engines:
        try:
            await registry.engines.supervisor.stop(record.retire, SYSTEM)
        except NotFoundError:
            pass  # stopped by hand
        except QuantdeckError:
            return
    controller.put(msgspec.structs.replace(record, retire=""))
    controller.note(now, "finish", text, SYSTEM)
