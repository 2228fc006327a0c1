"""`quantdeck model pull SOURCE --host HOST`: each host fetches it by itself."""

from __future__ import annotations

import argparse
import asyncio
import sys

from quantdeck_console.commands.common import new_request_id, run_with_fleet, who
from quantdeck_console.commands.model_hosts import HostOutcome, chosen_hosts, on_each, report
from quantdeck_console.commands.model_progress import Progress
from quantdeck_console.link.fleet_file import Fleet, Host
from quantdeck_console.link.model_client import ModelClient
from quantdeck_console.model_sending import followed
from quantdeck_core.artifacts.origin import OriginError, check_url, parse_origin
from quantdeck_core.errors import QuantdeckError
from quantdeck_core.fleet.cells import size
from quantdeck_core.protocol.models import Pull


def pull(options: argparse.Namespace) -> int:
    """Begin a pull on each host, and follow it to its end."""
    parse_origin(options.source)
    if options.proxy:
        check_url(options.proxy)
    sha256 = options.sha256.lower().removeprefix("sha256:") if options.sha256 else None
    if sha256 and (len(sha256) != 64 or set(sha256) - set("0123456789abcdef")):
        raise OriginError("--sha256 is no SHA-256.", "It has 64 hexadecimal digits.")
    ask = Pull(
        request_id=new_request_id(),
        by=who(),
        source=options.source,
        name=options.name,
        sha256=sha256,
        unverified=options.unverified,
        include=tuple(options.include),
        proxy=options.proxy,
        replace=options.replace,
    )

    async def work(fleet: Fleet) -> dict[str, HostOutcome | QuantdeckError]:
        hosts = chosen_hosts(fleet, options)
        progress = Progress([host.name for host in hosts], silent=options.json)

        async def one(host: Host, client: ModelClient) -> HostOutcome:
            job = await client.pull(ask)
            if not options.no_wait:
                job = await followed(client, job, lambda job: progress.told(host.name, job))
            return HostOutcome(host=host.name, job=job)

        try:
            return await on_each(hosts, one)
        except asyncio.CancelledError:
            sys.stderr.write(
                "The hosts go on: `quantdeck model jobs` shows them, `quantdeck model cancel` ends them.\n"
            )
            raise
        finally:
            progress.done()

    return report(options.json, run_with_fleet(options, work), _lines)


def _lines(outcome: HostOutcome) -> list[str]:
    job = outcome.job
    if job is None:
        return []
    if job.ended_at is None:
        return [f"{outcome.host}: job {job.id} fetches {job.name}"]
    return [
        f"{outcome.host}: {job.name}, {size(job.bytes_total)}, {(job.digest or '')[:12]} from {job.source}: {job.note}"
    ]
