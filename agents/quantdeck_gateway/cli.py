"""`quantdeck gateway`: the gateway's arguments."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from quantdeck_core.errors import InputError
from quantdeck_core.hashing import percent_to_bp
from quantdeck_core.loopback import is_loopback
from quantdeck_core.protocol.gateway import Arm, ExperimentRoute, GatewayConfig, Replica
from quantdeck_gateway import config_file, server
from quantdeck_gateway.addresses import split_listen
from quantdeck_gateway.answer_key import answer_key
from quantdeck_gateway.ejection import PROBE_EVERY_S
from quantdeck_gateway.limits import Deadlines
from quantdeck_gateway.settings import Settings, WorkerSettings
from quantdeck_gateway.upgrade import INHERIT

_EPILOG = """Ways to use it:
  with an agent   --config FILE.json --listen HOST:PORT --control-socket PATH [--signals-socket PATH]
  alone           --port P --config FILE.toml
                  --port P --control URL [...] --treatment URL [...] --weight PERCENT --experiment NAME"""

_MOST_WORKERS = 64


def main(argv: Sequence[str]) -> int:
    """Run the gateway until SIGTERM or SIGINT.

    Raises:
        QuantdeckError: it could not start.
    """
    settings = parse(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s gateway %(levelname)s %(message)s")
    server.run(settings)
    return 0


def parse(argv: Sequence[str]) -> Settings:
    """Arguments to settings; reads the config file.

    Raises:
        InputError: they do not fit together, or name what cannot be used.
    """
    options = _parser().parse_args(argv)
    if options.listen and options.port is not None:
        raise InputError("--listen and --port both say where to listen.", "Give one of them.")
    if not options.listen and options.port is None:
        raise InputError("Nothing says where to listen.", "Give --port P, or --listen HOST:PORT.")
    if options.lease_seconds is not None and (options.lease_seconds <= 0 or not options.control_socket):
        raise InputError("A lease is some seconds long and renewed over the control socket.", "Give both, or neither.")
    if not 1 <= options.workers <= _MOST_WORKERS:
        raise InputError(f"{options.workers} workers are not possible.", f"Give 1 to {_MOST_WORKERS}.")
    host, port = split_listen(options.listen or f"127.0.0.1:{options.port}")
    config = _config(options)
    if not (is_loopback(host) or config.api_keys or options.control_socket):
        raise InputError(
            f"Listening on {host} would let other machines in without an API key.",
            "Put api_keys into a --config FILE (`quantdeck gateway-key NAME` makes one), or listen on 127.0.0.1.",
        )
    return Settings(
        host=host,
        port=port,
        config=config,
        workers=options.workers,
        config_path=options.config,
        control=options.control_socket,
        lease_s=options.lease_seconds,
        signals=options.signals_socket,
        worker=WorkerSettings(
            access_log=str(options.access_log) if options.access_log else None,
            answer_key=answer_key(options.config),
            keys_required=not is_loopback(host),
            deadlines=Deadlines(
                header=options.header_seconds,
                body=options.body_seconds,
                first_byte=options.first_byte_seconds,
                between_events=options.between_events_seconds,
                drain=options.drain_seconds,
            ),
            probe_s=options.probe_seconds,
        ),
        argv=_without_inherit(argv),
        inherit=options.inherit,
    )


def _without_inherit(argv: Sequence[str]) -> tuple[str, ...]:
    if INHERIT not in argv:
        return tuple(argv)
    at = list(argv).index(INHERIT)
    return (*argv[:at], *argv[at + 2 :])


def _config(options: argparse.Namespace) -> GatewayConfig:
    alone = options.control or options.treatment or options.experiment or options.weight is not None
    if options.config:
        if alone:
            raise InputError("--config already says what to serve.", "Leave out --control, --treatment and the like.")
        if not options.control_socket and not config_file.is_toml(options.config):
            raise InputError("Nobody could change this JSON.", "Give --control-socket PATH, or write a TOML.")
        return config_file.load(options.config)
    if not options.control or not options.experiment:
        raise InputError("Nothing says what to serve.", "Give --control URL and --experiment NAME, or --config FILE.")
    weight_bp = percent_to_bp(options.weight or "0")
    if weight_bp and not options.treatment:
        raise InputError("A weight without a treatment serves nobody.", "Give --treatment URL, or --weight 0.")
    route = ExperimentRoute(
        name=options.experiment,
        served_name=options.served_name or options.experiment,
        weight_bp=weight_bp,
        control=_arm("control", options.control),
        treatment=_arm("treatment", options.treatment),
    )
    config = GatewayConfig(revision=1, experiments=(route,))
    config_file.check(config)
    return config


def _arm(name: str, urls: Sequence[str]) -> Arm:
    replicas = (Replica(name=f"{name}-{number}", url=url) for number, url in enumerate(urls))
    return Arm(replicas=tuple(replicas), generation=1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="quantdeck gateway",
        description="Splits users of an OpenAI-compatible API between two variants of a model.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add, deadlines = parser.add_argument, Deadlines()
    add("--config", type=Path, metavar="FILE", help="what to serve: JSON, which keeps changes, or a TOML of yours")
    add("--listen", metavar="HOST:PORT", help="where clients connect; beyond loopback only with API keys")
    add("--control-socket", type=Path, metavar="PATH", help="Unix socket for status and changes")
    add("--signals-socket", type=Path, metavar="PATH", help="Unix socket for quality signals; without it no analyser")
    add(
        "--lease-seconds",
        type=float,
        metavar="S",
        help="treatments go to 0 when nobody has renewed the lease for so long (default: there is no lease)",
    )
    add(
        "--access-log",
        type=Path,
        metavar="PATH",
        help="a line of JSON for each request, without any text",
    )
    add("--workers", type=int, default=1, metavar="N", help="processes that accept clients (default: %(default)s)")
    add("--port", type=int, metavar="P", help="short for --listen 127.0.0.1:P")
    add("--control", nargs="+", action="extend", default=[], metavar="URL", help="engines of the control")
    add("--treatment", nargs="+", action="extend", default=[], metavar="URL", help="engines of the treatment")
    add("--weight", metavar="PERCENT", help="users on the treatment, in steps of 0.01 (default: 0)")
    add("--experiment", metavar="NAME", help="goes into the hash: another name is another split")
    add("--served-name", metavar="MODEL", help="what /v1/models shows (default: the experiment)")
    add("--drain-seconds", type=float, default=deadlines.drain, metavar="S", help="default: %(default)g")
    add("--header-seconds", type=float, default=deadlines.header, metavar="S", help="default: %(default)g")
    add("--body-seconds", type=float, default=deadlines.body, metavar="S", help="of a request (default: %(default)g)")
    add("--first-byte-seconds", type=float, default=deadlines.first_byte, metavar="S", help="default: %(default)g")
    add(
        "--between-events-seconds",
        type=float,
        default=deadlines.between_events,
        metavar="S",
        help="silence within an answer after which it is broken (default: %(default)g)",
    )
    add(
        "--probe-seconds",
        type=float,
        default=PROBE_EVERY_S,
        metavar="S",
        help="an engine that answered nobody for so long is asked for one token; 0 asks those alone that failed"
        " (default: %(default)g)",
    )
    add(INHERIT, type=int, help=argparse.SUPPRESS)  # how an upgrade starts the successor
    return parser
