"""`quantdeck agent run`: the daemon of a host."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import socket
from pathlib import Path

from quantdeck_agent.options import Options, SshOptions
from quantdeck_agent.paths import Paths
from quantdeck_agent.ports import split_address
from quantdeck_core.errors import InputError


def main(argv: list[str]) -> int:
    """Run the agent until it is told to end.

    Raises:
        QuantdeckError: it could not start; nothing is left running then that it started.
    """
    options = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    for noisy in ("httpx", "httpcore", "asyncssh", "uvicorn.error"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    from quantdeck_agent.daemon import Daemon

    paths = Paths(state=options.state, runtime=options.runtime or _runtime(options.state), models=options.models)
    daemon = Daemon(
        Options(
            name=options.name,
            paths=paths,
            gateway=options.gateway,
            metrics=options.metrics_listen,
            ssh=_ssh(options),
            lifeline=options.lifeline_fd,
        )
    )
    asyncio.run(daemon.run())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="quantdeck agent", description="The daemon of a host.")
    run = parser.add_subparsers(dest="action", required=True).add_parser("run", help="serve until SIGTERM")
    run.add_argument("--name", default=socket.gethostname(), help="the host's name in the fleet (default: %(default)s)")
    run.add_argument(
        "--state", type=Path, default=_default_state(), help="folder of its database (default: %(default)s)"
    )
    run.add_argument("--runtime", type=Path, help="folder of its sockets (default: /run/quantdeck for root)")
    run.add_argument("--models", type=Path, default=Path("/models"), help="model root (default: %(default)s)")
    run.add_argument("--gateway", metavar="HOST:PORT", help="run a gateway there")
    run.add_argument("--metrics-listen", metavar="HOST:PORT", help="serve /metrics there too, e.g. 127.0.0.1:9464")
    run.add_argument("--ssh-listen", metavar="HOST:PORT", help="serve SSH itself, for hosts without sshd")
    run.add_argument("--ssh-host-key", type=Path, help="private host key, with --ssh-listen")
    run.add_argument("--ssh-authorized-keys", type=Path, help='lines like: quantdeck-role="operator" ssh-ed25519 ...')
    run.add_argument("--lifeline-fd", type=int, help=argparse.SUPPRESS)
    return parser


def _default_state() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/quantdeck")
    return Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local/state")) / "quantdeck"


def _runtime(state: Path) -> Path:
    if os.geteuid() == 0:
        return Path("/run/quantdeck")
    base = os.environ.get("XDG_RUNTIME_DIR")
    return Path(base) / "quantdeck" if base else state / "run"


def _ssh(options: argparse.Namespace) -> SshOptions | None:
    if not options.ssh_listen:
        return None
    if not options.ssh_host_key or not options.ssh_authorized_keys:
        raise InputError("--ssh-listen needs --ssh-host-key and --ssh-authorized-keys.", "Give both files.")
    host, port = split_address(options.ssh_listen)
    return SshOptions(host=host, port=port, host_key=options.ssh_host_key, authorized_keys=options.ssh_authorized_keys)
