"""What the types of a profile cannot say: fields of other engines, keys, GPUs, the allow-lists."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import starmap
from typing import NamedTuple

from quantdeck_core.engines.extra_args import env_refused, extra_args_refused
from quantdeck_core.engines.gpus import group_size, replicas_per_gpu
from quantdeck_core.engines.table import FlagTable
from quantdeck_core.errors import InputError
from quantdeck_core.profile.defaults import resolved
from quantdeck_core.profile.fields import ENGINES, has, instead
from quantdeck_core.profile.names import LLAMACPP
from quantdeck_core.profile.nodes_check import nodes_problems
from quantdeck_core.profile.schema import Profile
from quantdeck_core.profile.serve import LOOPBACK, Resolved
from quantdeck_core.profile.toml_text import TomlError, decode_toml, locate

SLOTS_LIMIT = 256
"""llama.cpp's LLAMA_MAX_SEQ (src/llama-cparams.h)."""


class ProfileProblem(NamedTuple):
    """Why a profile cannot be used, and the key that says it."""

    keys: tuple[str, ...]
    detail: str
    hint: str


def parse_profile(text: str, source: str, table: FlagTable, version: str | None = None) -> Profile:
    """A profile from TOML, without problems.

    Args:
        source: file name for messages.
        version: of the engine; None for the newest that the table describes.

    Raises:
        TomlError: with file, line and column of the first problem.
    """
    profile = decode_toml(text, Profile, source)
    for keys, detail, hint in (*_not_in_a_file(profile), *problems(profile, table, version)):
        line, column = locate(text, list(keys))
        raise TomlError(f"{source}:{line}:{column}: {detail}", hint)
    return profile


def require_usable(profile: Profile, table: FlagTable) -> None:
    """The same for a profile that came over the wire.

    Raises:
        InputError: the first problem.
    """
    for _, detail, hint in problems(profile, table):
        raise InputError(f"Profile {profile.name}: {detail}", hint)


def problems(profile: Profile, table: FlagTable, version: str | None = None) -> Iterator[ProfileProblem]:
    """All of them; none where the profile can be rendered."""
    yield from _foreign(profile)
    if profile.engine == "external":
        if not profile.url.startswith(("http://", "https://")):
            yield ProfileProblem(("url",), "an external engine needs its url.", 'Write url = "http://HOST:PORT".')
        return
    if profile.url:
        yield ProfileProblem(
            ("url",), f"url is for external engines; {profile.engine} is started here.", "Leave it out."
        )
    if profile.upstream_model:
        yield ProfileProblem(
            ("upstream_model",),
            f"upstream_model is for external engines; {profile.engine} is started here under its served_name.",
            "Leave it out.",
        )
    serve = resolved(profile, None)
    known = table.version(profile.engine, version)
    yield from _exposure(serve)
    if profile.nodes is not None:
        yield from starmap(ProfileProblem, nodes_problems(profile, serve, profile.nodes))
    yield from _gpus(profile, serve)
    yield from _llamacpp(serve) if profile.engine in LLAMACPP else _vllm(serve)
    for flag in table.flag:
        value = getattr(profile.serve, flag.field, None)
        if value is not None and flag.choices and value not in flag.choices and flag.holds(profile.engine, known):
            yield ProfileProblem(
                ("serve", flag.field),
                f"{profile.engine} has no {flag.field} {value!r}.",
                f"There are: {', '.join(flag.choices)}.",
            )
            break
    for detail, hint in extra_args_refused(table, profile.engine, known, serve.extra_args):
        yield ProfileProblem(("serve", "extra_args"), detail, hint)
    for detail, hint in env_refused(table, profile.engine, known, serve.env):
        yield ProfileProblem(("serve", "env"), detail, hint)


def _foreign(profile: Profile) -> Iterator[ProfileProblem]:
    for field in ENGINES:
        if getattr(profile.serve, field) not in (None, (), {}) and not has(profile.engine, field):
            yield ProfileProblem(("serve", field), f"{profile.engine} has no {field}.", instead(profile.engine, field))


def _not_in_a_file(profile: Profile) -> Iterator[ProfileProblem]:
    if profile.nodes is not None and profile.nodes.placement is not None:
        yield ProfileProblem(
            ("nodes", "placement"),
            "hosts are named when it is deployed.",
            "Leave placement out; deploy --host A --host B.",
        )


def _exposure(serve: Resolved) -> Iterator[ProfileProblem]:
    if serve.host not in LOOPBACK and not serve.api_key_env:
        yield ProfileProblem(
            ("serve", "host"),
            f"{serve.host} can be reached from other machines, and no API key is asked for.",
            "Name the variable that holds the key in api_key_env, or leave host out: the gateway is on this machine.",
        )


def _gpus(profile: Profile, serve: Resolved) -> Iterator[ProfileProblem]:
    key, size = ("serve", "gpus"), group_size(profile.engine, serve)
    if len(set(serve.gpus)) != len(serve.gpus):
        yield ProfileProblem(key, "a GPU is named twice.", "Name each once.")
    elif serve.gpus and len(serve.gpus) % size:
        yield ProfileProblem(
            key,
            f"{len(serve.gpus)} GPUs cannot be divided among instances of {size}.",
            "Name a multiple of tensor_parallel_size x pipeline_parallel_size.",
        )
    elif (share := replicas_per_gpu(profile.engine, serve)) * (serve.gpu_memory_utilization or 0) > 1:
        yield ProfileProblem(
            ("serve", "replicas"),
            f"{share} replicas share a GPU and each takes {serve.gpu_memory_utilization:g} of its memory.",
            f"Lower gpu_memory_utilization to {int(90 / share) / 100:g}, or name more gpus.",
        )
    if serve.port and serve.port + serve.replicas - 1 > 65535:
        yield ProfileProblem(("serve", "port"), "the replicas' ports end after 65535.", "Choose a lower one.")


def _vllm(serve: Resolved) -> Iterator[ProfileProblem]:
    if (serve.max_num_batched_tokens or serve.max_num_seqs) < serve.max_num_seqs:
        yield ProfileProblem(
            ("serve", "max_num_batched_tokens"),
            f"a step of {serve.max_num_batched_tokens} tokens has no room for one of each of "
            f"{serve.max_num_seqs} sequences; vLLM ends with that.",
            "Raise it, or lower max_num_seqs.",
        )


def _llamacpp(serve: Resolved) -> Iterator[ProfileProblem]:
    if serve.max_num_seqs > SLOTS_LIMIT:
        yield ProfileProblem(
            ("serve", "max_num_seqs"), f"llama.cpp has at most {SLOTS_LIMIT} slots.", "Start more replicas."
        )
    if serve.max_model_len * serve.max_num_seqs > 2**31 - 1:
        yield ProfileProblem(
            ("serve", "max_model_len"), "max_model_len x max_num_seqs is past 32 bits.", "Lower one of them."
        )
    if serve.flash_attn == "off" and serve.kv_cache_dtype not in ("f16", "bf16", "f32"):
        yield ProfileProblem(
            ("serve", "flash_attn"),
            f"a KV cache as {serve.kv_cache_dtype} needs flash attention; llama.cpp ends without.",
            'Leave flash_attn out, or take kv_cache_dtype = "f16".',
        )
