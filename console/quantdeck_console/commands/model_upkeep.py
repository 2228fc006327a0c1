"""`quantdeck model verify`, `cancel` and `gc`."""

from __future__ import annotations

import argparse

from quantdeck_console.commands.common import new_request_id, run_with_fleet, who
from quantdeck_console.commands.model_hosts import HostOutcome, chosen_hosts, on_each, report
from quantdeck_console.commands.model_progress import Progress
from quantdeck_console.link.fleet_file import Fleet, Host
from quantdeck_console.link.model_client import ModelClient
from quantdeck_console.model_sending import followed
from quantdeck_core.errors import QuantdeckError
from quantdeck_core.fleet.cells import size
from quantdeck_core.protocol.models import CancelJob, CollectGarbage, Verify


def verify(options: argparse.Namespace) -> int:
    """Hash a model again on each host; 3 where it is not what it was."""

    async def work(fleet: Fleet) -> dict[str, HostOutcome | QuantdeckError]:
        hosts = chosen_hosts(fleet, options)
        progress = Progress([host.name for host in hosts], silent=options.json)

        async def one(host: Host, client: ModelClient) -> HostOutcome:
            job = await client.verify(Verify(request_id=new_request_id(), by=who(), name=options.name))
            job = await followed(client, job, lambda job: progress.told(host.name, job))
            return HostOutcome(host=host.name, job=job)

        try:
            return await on_each(hosts, one)
        finally:
            progress.done()

    return report(options.json, run_with_fleet(options, work), _verified)


def cancel(options: argparse.Namespace) -> int:
    """End a job."""

    async def one(host: Host, client: ModelClient) -> HostOutcome:
        job = await client.cancel_job(options.job, CancelJob(request_id=new_request_id(), by=who()))
        return HostOutcome(host=host.name, jobs=(job,))

    async def work(fleet: Fleet) -> dict[str, HostOutcome | QuantdeckError]:
        return await on_each(chosen_hosts(fleet, options), one)

    def lines(outcome: HostOutcome) -> list[str]:
        return [f"{outcome.host}: {job.kind} of {job.name} {job.state}" for job in outcome.jobs or ()]

    return report(options.json, run_with_fleet(options, work), lines)


def collect(options: argparse.Namespace) -> int:
    """Show what would go, or remove it."""

    async def one(host: Host, client: ModelClient) -> HostOutcome:
        ask = CollectGarbage(
            request_id=new_request_id(),
            by=who(),
            names=tuple(options.names),
            unused=options.unused,
            apply=options.yes,
        )
        return HostOutcome(host=host.name, garbage=await client.collect_garbage(ask))

    async def work(fleet: Fleet) -> dict[str, HostOutcome | QuantdeckError]:
        return await on_each(chosen_hosts(fleet, options), one)

    return report(options.json, run_with_fleet(options, work), _garbage)


def _verified(outcome: HostOutcome) -> list[str]:
    job = outcome.job
    return [f"{outcome.host}: {job.name}, SHA-256 {(job.digest or '')[:12]}: {job.note}"] if job else []


def _garbage(outcome: HostOutcome) -> list[str]:
    found = outcome.garbage
    if found is None:
        return []
    goes = "removed" if found.applied else "would go"
    lines = [
        f"  {goes if one.goes else 'stays':<8}  {size(one.bytes):>8}  {one.what} {one.name}: {one.why}"
        for one in sorted(found.verdicts, key=lambda one: (not one.goes, one.name))
    ]
    freed = f"{size(found.freed_bytes)} {'freed' if found.applied else 'would be freed'}"
    again = "" if found.applied or not found.freed_bytes else "; --yes removes it"
    return [f"{outcome.host}: {freed}{again}", *lines]
