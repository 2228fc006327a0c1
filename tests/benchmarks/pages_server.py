"""Many HTTP servers on loopback that serve one metrics page, in a process of their own.

Prints its ports, then runs until its input ends.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path


def response(page: bytes, close: bool) -> bytes:
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\ncontent-length: {len(page)}\r\n"
    )
    return head.encode() + (b"connection: close\r\n" if close else b"") + b"\r\n" + page


async def main(path: str, count: int) -> None:
    page = Path(path).read_bytes()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                close = b"connection: close" in head.lower()
                writer.write(response(page, close))
                await writer.drain()
                if close:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    servers = [await asyncio.start_server(serve, "127.0.0.1", 0) for _ in range(count)]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # connections that are still open need no good-bye


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
