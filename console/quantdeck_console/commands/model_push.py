"""`quantdeck model push PATH --host HOST`: the same model to several hosts at once."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path

from quantdeck_checkpoints.digest_cache import DigestCache
from quantdeck_checkpoints.hashing import files_of, manifest_of
from quantdeck_console.commands.common import new_request_id, run_with_fleet, who
from quantdeck_console.commands.model_hosts import HOSTS_AT_ONCE, HostOutcome, chosen_hosts, report
from quantdeck_console.commands.model_progress import Progress
from quantdeck_console.link.fleet_file import Fleet, Host
from quantdeck_console.model_sending import Sending
from quantdeck_core.artifacts.manifest import Manifest
from quantdeck_core.artifacts.names import check_path
from quantdeck_core.errors import QuantdeckError
from quantdeck_core.fleet.cells import duration, size
from quantdeck_core.protocol.models import BeginPush, Job


def push(options: argparse.Namespace) -> int:
    """Send a model, and wait until every host has checked it."""
    path: Path = options.path.absolute()
    name = check_path(options.name or path.name)
    hosts = run_with_fleet(options, lambda fleet: _hosts(fleet, options))
    manifest = _manifest(path, name, options.json)
    files = list(files_of(path).values())
    by_name = {
        (file.relative_to(path).as_posix() if path.is_dir() else name.rpartition("/")[2]): file for file in files
    }
    ask = BeginPush(request_id=new_request_id(), by=who(), name=name, manifest=manifest, replace=options.replace)
    progress = Progress([host.name for host in hosts], silent=options.json)
    began = time.monotonic()
    sent = [by_name[entry.path] for entry in manifest.files]
    results = asyncio.run(_everywhere(hosts, sent, ask, progress))
    progress.done()
    return report(options.json, results, lambda outcome: [_line(outcome, time.monotonic() - began)])


async def _hosts(fleet: Fleet, options: argparse.Namespace) -> list[Host]:
    return chosen_hosts(fleet, options)


async def _everywhere(
    hosts: list[Host], files: list[Path], ask: BeginPush, progress: Progress
) -> dict[str, HostOutcome | QuantdeckError]:
    turn = asyncio.Semaphore(HOSTS_AT_ONCE)

    async def one(host: Host) -> HostOutcome | QuantdeckError:
        async with turn:
            try:
                job = await Sending(host, files, ask, lambda job: progress.told(host.name, job)).run()
            except QuantdeckError as error:
                return error
            return HostOutcome(host=host.name, job=job)

    return dict(zip((host.name for host in hosts), await asyncio.gather(*map(one, hosts)), strict=True))


def _manifest(path: Path, name: str, silent: bool) -> Manifest:
    """Hashes of the files here; those that did not change since an earlier push are known."""
    base = Path(os.environ.get("XDG_CACHE_HOME", "") or Path.home() / ".cache")
    cache = DigestCache(base / "quantdeck" / "digests.db")
    if not silent and sys.stderr.isatty():
        sys.stderr.write(f"hashing {path.name}\n")
    try:
        manifest = manifest_of(path, cache)
    finally:
        cache.close()
    if manifest.kind == "folder":
        return manifest
    (entry,) = manifest.files
    return Manifest(
        kind="file", files=(type(entry)(path=name.rpartition("/")[2], size=entry.size, sha256=entry.sha256),)
    )


def _line(outcome: HostOutcome, seconds: float) -> str:
    job: Job | None = outcome.job
    assert job  # noqa: S101 - an outcome without error has one
    what = f"{job.name}, {size(job.bytes_total)}, SHA-256 {(job.digest or '')[:12]}"
    return f"{outcome.host}: {what}: {job.note} ({duration(seconds * 1000)})"
