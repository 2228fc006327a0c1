"""Agents that are played: a socket a host, which answers as an agent does and tells events at a rate.

    python played_agents.py FOLDER --hosts 3 --rate 10

Says `ready` once all sockets are there, and runs until its input ends.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
from played_lines import VARIANTS, Lines, host_names

from quantdeck_core.protocol.host import PROTOCOL, Version

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


def chunk(line: bytes) -> bytes:
    return b"%x\r\n%s\n\r\n" % (len(line) + 1, line)


def spoken(lines: Lines, n: int) -> Iterator[bytes]:
    """What one host tells after its snapshot."""
    kinds = [lines.samples, *lines.engines, lines.gateways, lines.experiments, lines.heartbeats]
    for turn in itertools.count():
        for kind in kinds:
            yield chunk(kind[(turn + n * 7) % VARIANTS])


async def serve(
    name: str, n: int, lines: Lines, rate: float, ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]
) -> None:
    reader, writer = ways
    try:
        while True:
            path = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1]
            if path == b"/v1/version":
                body = msgspec.json.encode(Version(protocol=PROTOCOL, agent="0.1.0", host=name, role="operator"))
                writer.write(HEAD + b"content-length: %d\r\n\r\n%s" % (len(body), body))
                continue
            writer.write(HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunk(lines.snapshot(name, n)))
            told, clock = spoken(lines, n), asyncio.get_running_loop().time
            began, count = clock() + n % 100 / 100, 0
            while True:
                await writer.drain()
                await asyncio.sleep(max(0.0, began + count / rate - clock()))
                # Agents look once a second, and tell what has changed then.
                writer.write(b"".join(itertools.islice(told, max(1, int(rate)))))
                count += max(1, int(rate))
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hosts", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--rate", type=float, default=10, help="updates a second and host (default: %(default)s)")
    options = parser.parse_args()
    lines = Lines()
    for n, name in enumerate(host_names(options.hosts)):

        async def one(*ways: object, name: str = name, n: int = n) -> None:
            await serve(name, n, lines, options.rate, ways)  # type: ignore[arg-type]

        await asyncio.start_unix_server(one, options.folder / f"{name}.sock")
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # connections that are still open need no good-bye


if __name__ == "__main__":
    asyncio.run(main())
