"""`quantdeck model list` and `jobs`."""

from __future__ import annotations

import argparse
import time

from quantdeck_console.commands.common import run_with_fleet
from quantdeck_console.commands.model_hosts import HostOutcome, chosen_hosts, on_each, report
from quantdeck_console.link.fleet_file import Fleet, Host
from quantdeck_console.link.model_client import ModelClient
from quantdeck_core.errors import QuantdeckError
from quantdeck_core.fleet.cells import NONE, age, size, whole_percent
from quantdeck_core.protocol.models import ENDED, Job, ModelStatus
from quantdeck_core.text import clean


def list_models(options: argparse.Namespace) -> int:
    """What lies on each host."""

    async def one(host: Host, client: ModelClient) -> HostOutcome:
        return HostOutcome(host=host.name, models=await client.models())

    async def work(fleet: Fleet) -> dict[str, HostOutcome | QuantdeckError]:
        return await on_each(chosen_hosts(fleet, options), one)

    return report(options.json, run_with_fleet(options, work), _models)


def list_jobs(options: argparse.Namespace) -> int:
    """Transfers and checks of each host."""

    async def one(host: Host, client: ModelClient) -> HostOutcome:
        return HostOutcome(host=host.name, jobs=(await client.jobs()).jobs)

    async def work(fleet: Fleet) -> dict[str, HostOutcome | QuantdeckError]:
        return await on_each(chosen_hosts(fleet, options), one)

    return report(options.json, run_with_fleet(options, work), _jobs)


def _models(outcome: HostOutcome) -> list[str]:
    found = outcome.models
    if found is None:
        return []
    usable = max(0, found.disk_free_bytes - found.reserve_bytes - found.promised_bytes)
    head = (
        f"{outcome.host}: {size(usable)} for more models ({size(found.disk_free_bytes)} of "
        f"{size(found.disk_total_bytes)} free, {size(found.reserve_bytes)} in reserve)"
    )
    rows = [_model(model) for model in found.models]
    return [head, *_table(rows), *([] if rows else ["  no models"])]


def _model(model: ModelStatus) -> tuple[str, ...]:
    if model.changed:
        state = "CHANGED since it was hashed"
    elif model.verified_at is None:
        state = "never hashed"
    else:
        verb = "UNVERIFIED, hashed" if model.unverified else "verified"
        state = f"{verb} {age(time.time() - model.verified_at)} ago"
    users = f"used by {', '.join(model.users)}" if model.users else "not in use"
    digest = model.digest[:12] if model.digest else NONE
    return model.name, model.format or NONE, size(model.bytes), digest, state, users


def _jobs(outcome: HostOutcome) -> list[str]:
    rows = [_job(job) for job in outcome.jobs or ()]
    return [f"{outcome.host}:" + ("" if rows else " no transfers"), *_table(rows)]


def _job(job: Job) -> tuple[str, ...]:
    done = (
        NONE
        if job.bytes_total is None
        else f"{whole_percent(job.bytes_done, job.bytes_total)} of {size(job.bytes_total)}"
    )
    words = job.error.detail if job.error else job.note
    when = job.touched_at if job.state not in ENDED else job.ended_at or job.touched_at
    return job.id, job.kind, job.name, job.state, done, f"{age(time.time() - when)} ago", words


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    cells = [[clean(cell, one_line=True) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  " + "  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)).rstrip() for row in cells]
