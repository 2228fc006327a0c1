"""Everything that is checked before a start is accepted: a refusal leaves nothing half done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from quantdeck_agent.engines.checkpoint import ModelMissingError, resolve_model
from quantdeck_agent.engines.command import flags, require_startable
from quantdeck_agent.engines.errors import RefusedError
from quantdeck_agent.engines.program import program_of
from quantdeck_agent.engines.ray_program import ray_scratch
from quantdeck_agent.ports import free_port
from quantdeck_checkpoints.hashing import fingerprint
from quantdeck_core.engines.gpus import occupied
from quantdeck_core.errors import ErrorInfo, InputError, QuantdeckError
from quantdeck_core.profile.defaults import resolved
from quantdeck_core.profile.schema import Profile
from quantdeck_core.protocol.host import HostSample
from quantdeck_core.protocol.operation import Room
from quantdeck_ledger.place import default_ledger_path

Held = tuple[tuple[tuple[int, ...], int], ...]
"""Of each process, its GPUs and what it takes of the fullest of them, bytes; no GPUs: of the machine's RAM."""


class Prepared(NamedTuple):
    """What is known of a start before it begins.

    Attributes:
        gpus: of each replica.
        weights_bytes: of the checkpoint; None where it could not be read.
        refusal: why it should not be started now; None where nothing speaks against it.
        beside: the refusal is about room only, and there is enough once the old processes are gone.
        copies: the checkpoint is not here and is fetched first; only then it is known whether it fits.
    """

    profile: Profile
    program: str = ""
    version: str = ""
    scratch: str = ""
    model_path: str = ""
    fingerprint: str = ""
    gpus: tuple[tuple[int, ...], ...] = ()
    planned_bytes: int | None = None
    room: Room | None = None
    weights_bytes: int | None = None
    refusal: ErrorInfo | None = None
    beside: bool = False
    copies: bool = False
    note: str = ""

    def require(self, force: bool, by: str) -> str:
        """Refuse, or say who forced it.

        Raises:
            RefusedError: it was refused and not forced.
        """
        if self.refusal is None:
            return ""
        if not force:
            raise RefusedError(self.refusal)
        return f"{by or 'somebody'}: {self.refusal.detail}"


class Preparer:
    """Checks profiles against this host.

    Args:
        sample: the newest reading of the machine.
        state: the agent's own folder.
    """

    def __init__(self, models: Path, sample: Callable[[], HostSample], state: Path) -> None:
        self._models, self._sample, self._state = models, sample, state

    async def prepare(self, profile: Profile, replicas: range, held: Held = ()) -> Prepared:
        """Check; takes up to a second, in a thread.

        Args:
            replicas: numbers of those that are to be started.
            held: what the processes give back that they replace.

        Raises:
            QuantdeckError: the profile cannot be used here at all; force does not help.
        """
        require_startable(profile)
        if profile.nodes is not None and replicas != range(1):
            raise InputError(
                f"{profile.name} runs over several hosts: it has one replica.",
                "Deploy it again under another --name, to other hosts.",
            )
        if profile.engine == "external":
            return Prepared(profile=profile, model_path=profile.model, gpus=tuple(() for _ in replicas))
        return await asyncio.to_thread(self._check, profile, replicas, held)

    def _check(self, profile: Profile, replicas: range, held: Held) -> Prepared:
        program = program_of(profile, self._models)
        flags().version(profile.engine, program.version)
        scratch = ray_scratch(profile, program, self._state) if profile.nodes is not None else ""
        sample = self._sample()
        present = tuple(gpu.index for gpu in sample.gpus)
        serve = resolved(profile, None)
        gpus = tuple(occupied(profile.engine, serve, replica, present) for replica in replicas)
        known = Prepared(
            profile=profile,
            program=program.path,
            version=program.version or "",
            scratch=scratch,
            model_path=str(self._models / profile.model),
            gpus=gpus,
        )
        try:
            path = resolve_model(self._models, profile.model, profile.engine)
        except ModelMissingError:
            if profile.source is None:
                raise
            return known._replace(copies=True, note=f"its checkpoint is fetched first, from {profile.source.origin}")
        known = known._replace(model_path=str(path), fingerprint=fingerprint(path))
        return self._with_fit(known, path, sample, held)

    def _with_fit(self, known: Prepared, path: Path, sample: HostSample, held: Held) -> Prepared:
        from quantdeck_agent.engines.fit import fit_of, subject_of  # tables and readers that only a start needs

        ledger = default_ledger_path()
        try:
            subject = subject_of(known.profile, path, sample, known.gpus[0])
        except QuantdeckError as error:
            return known._replace(note=f"not planned: {error.detail}")
        # Those that share devices need room together.
        copies = max(known.gpus.count(one) for one in known.gpus)
        fit = fit_of(subject, sample, known.gpus[0], copies, 0, known.version, ledger)
        beside, freed = False, freed_on(known.gpus[0], held)
        if fit.refusal is not None and fit.refusal.code == "no-room-now" and freed:
            beside = fit_of(subject, sample, known.gpus[0], copies, freed, known.version, ledger).refusal is None
        return known._replace(
            planned_bytes=fit.planned_bytes,
            room=msgspec.structs.replace(fit.room, freed=freed) if fit.room else None,
            weights_bytes=subject.checkpoint.weights_bytes,
            refusal=fit.refusal,
            beside=beside,
            note=fit.note,
        )


def freed_on(gpus: tuple[int, ...], held: Held) -> int:
    """Bytes that come free on each of these GPUs, on the one with the least; without GPUs, of the RAM."""
    if not gpus:
        return sum(taken for theirs, taken in held if not theirs)
    return min(sum(taken for theirs, taken in held if gpu in theirs) for gpu in gpus)


def pinned_ports(profile: Profile, replicas: range) -> set[int]:
    """Ports that a profile names for its replicas: counted on from its own; none where any free one will do."""
    first = profile.serve.port
    return {first + replica for replica in replicas} if first else set()


def port_for(profile: Profile, replica: int, given_back: frozenset[int] = frozenset()) -> int:
    """The port of a replica: the profile's, counted on, or any free one.

    Args:
        given_back: ports that are free by the time that it starts.

    Raises:
        PortInUseError: the profile's is taken.
    """
    wanted = profile.serve.port + replica if profile.serve.port else 0
    return wanted if wanted in given_back else free_port(wanted)
