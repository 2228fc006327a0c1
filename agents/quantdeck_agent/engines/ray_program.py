"""Ray in vLLM's own environment, and the folder that it gets here."""

from __future__ import annotations

import os
from pathlib import Path

from quantdeck_agent.engines.program import ExecutableMissingError, Program, package_beside
from quantdeck_core.engines.over_hosts import require_placement
from quantdeck_core.engines.ray import OLDEST_RAY, SCRATCH_LIMIT, ray_beside
from quantdeck_core.engines.version import version_key
from quantdeck_core.errors import InputError
from quantdeck_core.profile.schema import Profile


class RayTooOldError(InputError):
    """A Ray that lets anybody run programs."""

    code = "ray-too-old"
    title = "Ray is too old"


def ray_scratch(profile: Profile, vllm: Program, state: Path) -> str:
    """The folder for a profile over several hosts, once it is sure that Ray can be started.

    Raises:
        ExecutableMissingError: vLLM's environment has no ray.
        RayTooOldError: it has no token authentication.
        PlacementError: the hosts do not go together.
        InputError: the folder's path is too long.
    """
    if profile.nodes is None:
        return ""
    ray = ray_beside(vllm.path)
    if not os.access(ray, os.X_OK):
        raise ExecutableMissingError(
            f"vLLM's environment has no ray ({ray}).", f"Install it there: pip install 'ray>={OLDEST_RAY}'."
        )
    version = package_beside(ray, "ray")
    if version is None or version_key(version) < version_key(OLDEST_RAY):
        raise RayTooOldError(
            f"Ray {version or 'of an unknown version'} ({ray}) lets anybody who reaches it run programs.",
            f"Upgrade it in vLLM's environment: pip install 'ray>={OLDEST_RAY}'.",
        )
    scratch = state.resolve() / f"ray-{require_placement(profile, profile.nodes).here.port}"
    if len(str(scratch)) > SCRATCH_LIMIT:
        raise InputError(
            f"{scratch} is too long for Ray's sockets ({len(str(scratch))} characters; {SCRATCH_LIMIT} go).",
            "Give the agent a shorter --state folder, e.g. /var/lib/quantdeck.",
        )
    return str(scratch)
