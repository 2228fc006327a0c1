"""Changes of a config, as pure functions: what they make of it, and which of them may be made."""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec

from quantdeck_core.errors import ConflictError, NotFoundError
from quantdeck_core.hashing import bp_to_percent
from quantdeck_core.protocol.gateway import ExperimentRoute, GatewayConfig, Latch, SetWeight, Unlatch

_replace = msgspec.structs.replace


def with_weight(config: GatewayConfig, ask: SetWeight) -> GatewayConfig:
    """The config with another weight.

    Raises:
        NotFoundError: no such experiment.
        ConflictError: the asker saw another revision.
    """
    if ask.revision is not None and ask.revision != config.revision:
        raise ConflictError(
            f"You saw revision {ask.revision}; revision {config.revision} holds.",
            "Read the status and repeat the change if it is still right.",
        )
    return _with(config, ask.experiment, lambda route: _replace(route, weight_bp=ask.weight_bp))


def with_latch(config: GatewayConfig, ask: Latch) -> GatewayConfig:
    """The config with everyone back on the control, latched.

    Raises:
        NotFoundError: no such experiment.
    """
    return _with(config, ask.experiment, lambda route: _replace(route, weight_bp=0, latched=True))


def without_latch(config: GatewayConfig, ask: Unlatch) -> GatewayConfig:
    """The config with the latch lifted.

    Raises:
        NotFoundError: no such experiment.
    """
    return _with(config, ask.experiment, lambda route: _replace(route, latched=False))


def _with(
    config: GatewayConfig, experiment: str, change: Callable[[ExperimentRoute], ExperimentRoute]
) -> GatewayConfig:
    if all(route.name != experiment for route in config.experiments):
        raise NotFoundError(f"No experiment is called {experiment!r} here.", "GET /v1/status lists them.")
    experiments = tuple(change(route) if route.name == experiment else route for route in config.experiments)
    changed = _replace(config, experiments=experiments)
    return config if changed == config else _replace(changed, revision=config.revision + 1)


def keep_latches(config: GatewayConfig, current: GatewayConfig, said: Collection[str]) -> GatewayConfig:
    """The config with the latches that hold, but for experiments whose latch it speaks of itself (`said`).

    Who writes configs without knowing of latches must not lift one by leaving it out.
    """
    held = {route.name for route in current.experiments if route.latched} - set(said)
    experiments = tuple(_replace(one, latched=True) if one.name in held else one for one in config.experiments)
    return _replace(config, experiments=experiments)


def require_allowed(config: GatewayConfig, current: GatewayConfig, lapsed: Collection[str]) -> None:
    """Refuse what may not be changed now.

    Args:
        lapsed: names of experiments that nobody judges.

    Raises:
        ConflictError: a latched experiment would get a weight, or one that nobody judges a higher one.
    """
    weights = {route.name: route.weight_bp for route in current.experiments}
    for route in config.experiments:
        if route.latched and route.weight_bp:
            raise ConflictError(
                f"{route.name} is rolled back and latched, so that it gets no weight.",
                'Say "latched": false in the same change, or POST /v1/unlatch with a reason first.',
            )
        before = weights.get(route.name, 0)
        if route.name in lapsed and route.weight_bp > before:
            raise ConflictError(
                f"Nobody judges {route.name}: its lease has lapsed. Its weight may fall, but not rise from "
                f"{bp_to_percent(before)} to {bp_to_percent(route.weight_bp)} %.",
                "Look after the agent of this host; when it judges again, the weight may rise.",
            )


def only_lowers(config: GatewayConfig, current: GatewayConfig) -> bool:
    """Whether nothing differs but weights that fall, latches that close, and treatments that have nobody left."""
    if len(config.experiments) != len(current.experiments) or config.api_keys != current.api_keys:
        return False
    return all(map(_lowers, config.experiments, current.experiments))


def _lowers(new: ExperimentRoute, old: ExperimentRoute) -> bool:
    treatment = old.treatment if new.weight_bp == 0 else new.treatment
    latched = old.latched or new.latched
    as_before = _replace(new, weight_bp=old.weight_bp, treatment=treatment, latched=old.latched)
    return new.weight_bp <= old.weight_bp and new.latched == latched and as_before == old
