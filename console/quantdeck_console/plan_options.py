"""Options of the commands that plan: which checkpoint, served how, and where."""

from __future__ import annotations

import argparse
from pathlib import Path

from quantdeck_console.commands.common import add_fleet_option, positive
from quantdeck_console.device_source import add_devices_option
from quantdeck_console.plan_request import parse_size


def add_plan_options(parser: argparse.ArgumentParser) -> None:
    """What `plan_request.request_of` reads."""
    parser.add_argument("subject", metavar="PROFILE|PATH", help="a profile, a GGUF file, or a model's folder")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--gpu", metavar="NAME[:COUNT]", help="where, e.g. a100-80gb:4, jetson-orin-64gb, cpu")
    place.add_argument("--host", help="on the hardware of this host of the fleet")
    add_fleet_option(parser)
    parser.add_argument("--engine", help="default: the profile's; llama-server for a GGUF, else vllm")
    parser.add_argument("--max-model-len", type=positive, metavar="N", help="tokens of one sequence")
    parser.add_argument("--max-num-seqs", type=positive, metavar="N", help="sequences that must all have room")
    parser.add_argument("--tp", type=positive, metavar="N", help="GPUs that share every layer")
    parser.add_argument("--pp", type=positive, metavar="N", help="GPUs, or groups of --tp, that have different layers")
    parser.add_argument("--replicas", type=positive, metavar="N", help="instances at the same time")
    parser.add_argument("--gpu-memory-utilization", type=_share, metavar="X", help="share of a GPU that vLLM books")
    parser.add_argument("--kv-dtype", metavar="D", help="of the KV cache: auto, fp8 (vLLM), q8_0, q4_0 (llama.cpp)")
    parser.add_argument("--memory", type=parse_size, metavar="SIZE", help="RAM, e.g. 64GiB (default: this machine's)")
    parser.add_argument("--models", type=Path, metavar="FOLDER", help="where profiles find their models")
    add_devices_option(parser)


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most 1")
    return value
