"""curl, with what of HTTP other clients rarely use."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from gateway.lab.process import Experiment, Gateway

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
JSON = ("-H", "content-type: application/json", "-H", "x-user-id: u")


@pytest.fixture
async def served(gateway: Gateway, experiment: Experiment) -> Experiment:
    await gateway.serve(experiment.route())
    return experiment


async def curl(*arguments: str, given: bytes = b"") -> tuple[int, str, str]:
    """Exit status, output, and what it tells with `-v`."""
    process = await asyncio.create_subprocess_exec(
        "curl", "-sS", "--max-time", "20", "--noproxy", "*", *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, told = await process.communicate(given)
    assert process.returncode is not None
    return process.returncode, out.decode(), told.decode()


def url(gateway: Gateway, path: str = "/v1/chat/completions") -> str:
    return f"http://127.0.0.1:{gateway.port}{path}"


def large(folder: Path) -> tuple[Path, bytes]:
    """A body above the mebibyte from which curl expects `100 Continue`."""
    body = json.dumps({"text": "x" * 1_500_000}).encode()
    path = folder / "body"
    path.write_bytes(body)
    return path, body


async def test_expects_continue(gateway: Gateway, served: Experiment, tmp_path: Path) -> None:
    path, body = large(tmp_path)
    began = asyncio.get_running_loop().time()
    ended, out, told = await curl("-v", *JSON, "--data-binary", f"@{path}", "--expect100-timeout", "15", url(gateway))
    assert (ended, out.encode()) == (0, served.control.body("x" * 1_500_000))
    assert "> Expect: 100-continue" in told
    assert "< HTTP/1.1 100 Continue" in told
    assert asyncio.get_running_loop().time() - began < 15
    assert served.control.seen[0][1] == body


async def test_is_told_at_once_that_a_body_is_too_large(gateway: Gateway, served: Experiment, tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"x" * 20_000_000)
    ended, out, told = await curl("-v", *JSON, "--data-binary", f"@{path}", url(gateway))
    assert json.loads(out)["error"]["code"] == "body_too_large"
    assert "100 Continue" not in told
    assert ended in (0, 55, 56)  # it may notice only as it writes


@pytest.mark.parametrize("more", [(), ("-H", "Expect:")], ids=["expects", "does not"])
async def test_uploads_in_chunks(gateway: Gateway, served: Experiment, tmp_path: Path, more: tuple[str, ...]) -> None:
    _, body = large(tmp_path)
    ended, out, told = await curl("-v", *JSON, "-X", "POST", "-T", "-", *more, url(gateway), given=body)
    assert (ended, out.encode()) == (0, served.control.body("x" * 1_500_000))
    assert "> Transfer-Encoding: chunked" in told
    assert served.control.seen[0][1] == body


async def test_streams(gateway: Gateway, served: Experiment) -> None:
    ended, out, _ = await curl("-N", *JSON, "-d", '{"stream":true,"text":"a b c"}', url(gateway))
    assert (ended, out.encode()) == (0, b"".join(served.control.events("a b c")))


@pytest.mark.parametrize("body", ['{"text":"a"}', '{"stream":true,"text":"a"}', '{"act":"until-close","text":"a"}'])
async def test_http_10(gateway: Gateway, served: Experiment, body: str) -> None:
    ended, out, told = await curl("-v", "--http1.0", *JSON, "-d", body, url(gateway))
    whole = b"".join(served.control.events("a")) if "stream" in body else served.control.body("a")
    assert (ended, out.encode()) == (0, whole)
    assert "transfer-encoding" not in told.lower()


@pytest.mark.parametrize("path", ["/health", "/ready", "/v1/models", "/metrics"])
async def test_head(gateway: Gateway, served: Experiment, path: str) -> None:
    ended, out, _ = await curl("-I", url(gateway, path))
    assert ended == 0
    assert out.startswith("HTTP/1.1 200 OK")
    assert "content-length: " in out


async def test_options(gateway: Gateway, served: Experiment) -> None:
    ended, out, _ = await curl("-X", "OPTIONS", "-w", "%{http_code}", url(gateway))
    assert (ended, out[-3:]) == (0, "404")
    assert served.control.seen == []


async def test_one_connection_for_all(gateway: Gateway, served: Experiment) -> None:
    asks = [part for number in range(5) for part in (*JSON, "-d", f'{{"text":"{number}"}}', url(gateway), "--next")]
    ended, out, told = await curl("-v", *asks, url(gateway, "/health"))
    assert (ended, out[-15:]) == (0, '{"status":"ok"}')
    assert told.count("Re-using existing connection") == 5


async def test_http_2_from_the_start(gateway: Gateway, served: Experiment) -> None:
    ended, out, _ = await curl("--http2-prior-knowledge", url(gateway, "/health"))
    assert ended in (1, 16, 52, 56)
    assert out == ""
    assert (await gateway.ask("GET", "/health")).status == 200


async def test_offers_http_2(gateway: Gateway, served: Experiment) -> None:
    """`Upgrade: h2c` is an offer: who does not take it up goes on with HTTP/1.1."""
    ended, out, _ = await curl("--http2", "-w", " %{http_code}", url(gateway, "/health"))
    assert (ended, out) == (0, '{"status":"ok"} 200')


async def test_offers_to_take_it_compressed(gateway: Gateway, served: Experiment) -> None:
    ended, out, _ = await curl("--compressed", *JSON, "-d", "{}", url(gateway))
    assert (ended, out.encode()) == (0, served.control.body("fine"))
    assert "accept-encoding" not in served.control.seen[0][0].lower()
