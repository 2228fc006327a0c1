"""`quantdeck agent run`, the daemon of a host, and `quantdeck agent units`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import socket
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

from quantdeck_agent.options import LEASE_S, Options, SshOptions
from quantdeck_agent.paths import Paths
from quantdeck_agent.ports import split_address
from quantdeck_agent.units import unit, write_unit
from quantdeck_core.errors import InputError
from quantdeck_core.loopback import is_loopback

LOG_BYTES, LOG_FILES = 10 << 20, 5
"""Of one file of `--log-file`, and how many."""


def main(argv: list[str]) -> int:
    """Run the agent until it is told to end, or print what makes systemd run it.

    Raises:
        QuantdeckError: it could not start; nothing is left running then that it started.
    """
    options = _parser().parse_args(argv)
    if options.action == "units":
        return _units(options)
    _check_gateway(options)
    _log_to(options.log_file)
    from quantdeck_agent.daemon import Daemon

    paths = Paths(state=options.state, runtime=options.runtime or _runtime(options.state), models=options.models)
    daemon = Daemon(
        Options(
            name=options.name,
            paths=paths,
            gateway=options.gateway,
            gateway_keys=options.gateway_keys,
            gateway_workers=options.gateway_workers,
            gateway_access_log=options.gateway_access_log and options.gateway_access_log.absolute(),
            alerts=options.alerts and options.alerts.absolute(),
            metrics=options.metrics_listen,
            ssh=_ssh(options),
            lifeline=options.lifeline_fd,
            lease_s=options.lease_seconds,
        )
    )
    asyncio.run(daemon.run())
    return 0


def _units(options: argparse.Namespace) -> int:
    text = write_unit(options.write, user=options.user) if options.write else unit(user=options.user).rstrip("\n")
    sys.stdout.write(text + "\n")
    return 0


def _check_gateway(options: argparse.Namespace) -> None:
    if options.gateway_keys and not options.gateway:
        raise InputError("--gateway-keys without a gateway lets nobody in.", "Give --gateway HOST:PORT too.")
    if options.gateway and not options.gateway_keys and not is_loopback(split_address(options.gateway)[0].strip("[]")):
        raise InputError(
            f"A gateway on {options.gateway} would let other machines in without an API key.",
            "Give --gateway-keys FILE.toml (`quantdeck gateway-key NAME` makes a key), or listen on 127.0.0.1.",
        )


def _log_to(file: Path | None) -> None:
    """Log to stderr, which systemd keeps; or to a file that is rotated here.

    Raises:
        InputError: the file cannot be written.
    """
    handlers: list[logging.Handler] = []
    if file:
        try:
            handlers.append(RotatingFileHandler(file, maxBytes=LOG_BYTES, backupCount=LOG_FILES - 1))
        except OSError as error:
            raise InputError(f"Cannot write {file}: {error.strerror}.", "Name another file with --log-file.") from None
        logging.raiseExceptions = False  # a full disk: there is nowhere to complain
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", handlers=handlers or None
    )
    for noisy in ("httpx", "httpcore", "asyncssh", "uvicorn.error"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="quantdeck agent", description="The daemon of a host.")
    actions = parser.add_subparsers(dest="action", required=True)
    run = actions.add_parser("run", help="serve until SIGTERM")
    run.add_argument("--name", default=socket.gethostname(), help="the host's name in the fleet (default: %(default)s)")
    run.add_argument(
        "--state", type=Path, default=_default_state(), help="folder of its database (default: %(default)s)"
    )
    run.add_argument("--runtime", type=Path, help="folder of its sockets (default: /run/quantdeck for root)")
    run.add_argument("--models", type=Path, default=Path("/models"), help="model root (default: %(default)s)")
    run.add_argument("--gateway", metavar="HOST:PORT", help="run a gateway there")
    run.add_argument(
        "--lease-seconds",
        type=_seconds,
        default=LEASE_S,
        metavar="S",
        help="its gateway takes treatments to 0 when no agent has judged them for so long (default: %(default)g)",
    )
    run.add_argument(
        "--gateway-keys",
        type=Path,
        metavar="FILE",
        help="API keys that its clients need, as TOML; read again when it changes; see `quantdeck gateway-key`",
    )
    run.add_argument(
        "--gateway-workers", type=int, default=1, metavar="N", help="its processes, a core each (default: %(default)s)"
    )
    run.add_argument(
        "--gateway-access-log", type=Path, metavar="FILE", help="a line of JSON for each request, without any text"
    )
    run.add_argument(
        "--alerts",
        type=Path,
        metavar="FILE",
        help="who is told of alarms (Slack, PagerDuty, webhooks, commands), as TOML; read again when it changes",
    )
    run.add_argument("--metrics-listen", metavar="HOST:PORT", help="serve /metrics there too, e.g. 127.0.0.1:9464")
    run.add_argument("--ssh-listen", metavar="HOST:PORT", help="serve SSH itself, for hosts without sshd")
    run.add_argument("--ssh-host-key", type=Path, help="private host key, with --ssh-listen")
    run.add_argument("--ssh-authorized-keys", type=Path, help='lines like: quantdeck-role="operator" ssh-ed25519 ...')
    run.add_argument(
        "--log-file", type=Path, help="log there, for hosts without systemd; it is rotated (default: stderr)"
    )
    run.add_argument("--lifeline-fd", type=int, help=argparse.SUPPRESS)
    units = actions.add_parser("units", help="print the systemd unit for this installation")
    units.add_argument("--user", action="store_true", help="for `systemctl --user`")
    units.add_argument("--write", type=Path, metavar="DIR", help="write it there, e.g. /etc/systemd/system")
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 2 <= seconds < 86_400:  # it is renewed once a second
        raise argparse.ArgumentTypeError(f"{text} is not from 2 to 86400")
    return seconds


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
