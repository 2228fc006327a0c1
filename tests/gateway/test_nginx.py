"""The nginx that the docs put in front, for real."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.lab.process import Experiment, Gateway
from quantdeck_core.protocol.gateway import ApiKey
from quantdeck_core.protocol.keys import digest_of
from support.waiting import listens

NGINX, OPENSSL = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin"), shutil.which("openssl")
DOCS = Path(__file__).parents[2] / "docs" / "gateway.md"
KEY = ApiKey(name="app", sha256=digest_of(b"secret"))

pytestmark = pytest.mark.skipif(not (NGINX and OPENSSL), reason="needs nginx and openssl")


@pytest.fixture
def front(tmp_path: Path, free_port: int) -> Iterator[tuple[Gateway, str]]:
    """A gateway behind the config of the docs, but for its names and ports."""
    gateway = Gateway(tmp_path)
    found = re.search(r"```nginx\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert found
    text = found.group(1)
    for old, new in {
        "127.0.0.1:8080": f"127.0.0.1:{gateway.port}",
        "listen 443 ssl": f"listen 127.0.0.1:{free_port} ssl",
        "/etc/ssl/models.example.net": str(tmp_path / "cert"),
    }.items():
        assert old in text
        text = text.replace(old, new)
    new_cert = [OPENSSL, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    new_cert += ["-keyout", str(tmp_path / "cert.key"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run(new_cert, check=True, capture_output=True)  # type: ignore[arg-type]
    config = tmp_path / "nginx.conf"
    folders = "".join(
        f"{kind}_temp_path {tmp_path / kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    http = f"access_log off;\n{folders}{text}"
    config.write_text(f"daemon off;\npid {tmp_path / 'pid'};\nevents {{}}\nhttp {{\n{http}}}\n")
    command = [str(NGINX), "-p", str(tmp_path), "-c", str(config), "-e", str(tmp_path / "error.log")]
    assert subprocess.run([*command, "-t"], check=False, capture_output=True).returncode == 0
    nginx = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    end = time.monotonic() + 10
    while not listens(free_port):
        assert time.monotonic() < end
        time.sleep(0.01)
    yield gateway, f"https://127.0.0.1:{free_port}"
    nginx.terminate()
    nginx.wait(10)
    assert gateway.end() == 0


async def test_tls_streams_and_a_limit_for_each_key(front: tuple[Gateway, str], experiment: Experiment) -> None:
    gateway, url = front
    await gateway.serve(experiment.route(), keys=[KEY])
    async with httpx.AsyncClient(base_url=url, verify=False, trust_env=False, headers={"x-user-id": "u"}) as http:
        assert (await http.get("/metrics")).status_code == 404
        assert (await http.post("/v1/completions", json={})).status_code == 401
        http.headers["authorization"] = "Bearer secret"
        async with http.stream("POST", "/v1/completions", json={"stream": True, "act": "hold", "text": "a b"}) as reply:
            parts = reply.aiter_raw()
            assert b'"a "' in await anext(parts)  # comes although the answer has not ended
            experiment.control.release.set()
            assert b"[DONE]" in b"".join([part async for part in parts])
        statuses = [(await http.get("/v1/models")).status_code for _ in range(100)]
        assert set(statuses) == {200, 429}
        http.headers["authorization"] = "Bearer other"
        assert (await http.get("/v1/models")).status_code == 401  # has a limit of its own
