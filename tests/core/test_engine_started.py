"""What changed between two starts, in words; how long nobody serves in a swap; which replica gets which GPUs."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.engines.gpus import group_size, named, occupied, replicas_per_gpu, visible
from quantdeck_core.engines.outage import BASE_S, READ_BYTES_S, STOP_S, outage
from quantdeck_core.engines.started import Start, changes
from quantdeck_core.profile.defaults import resolved
from quantdeck_core.profile.names import STARTED, EngineKind
from quantdeck_core.profile.schema import Profile
from quantdeck_core.profile.serve import Resolved, Serve

START = Start(
    generation=1, t=0.0, profile="a", model="a.gguf", sha256="a" * 64, version="1.0",
    argv=("serve", "/m/a.gguf", "--port", "9000", "--ctx-size", "1024", "--n-gpu-layers", "-1", "--metrics"),
)  # fmt: skip


def other(**changed: object) -> Start:
    return msgspec.structs.replace(START, **changed)  # type: ignore[arg-type]


def test_the_same_on_another_port_is_no_change() -> None:
    argv = tuple("9001" if word == "9000" else word for word in START.argv)
    assert changes(START, other(generation=7, t=99.0, argv=argv, replica=1)) == ()


def test_another_checkpoint_under_the_same_name_is_told_first() -> None:
    assert changes(START, other(sha256="b" * 64, version="1.1")) == (
        f"checkpoint a.gguf {'a' * 12} -> a.gguf {'b' * 12}",
        "engine 1.0 -> 1.1",
    )


def test_a_checkpoint_whose_digest_is_not_known_is_told_by_its_name() -> None:
    assert changes(START, other(sha256="", model="b.gguf")) == ("checkpoint a.gguf -> b.gguf",)
    assert changes(START, other(sha256="")) == ()


def test_flags_are_told_one_by_one() -> None:
    argv = ("serve", "/m/b.gguf", "--port=9000", "--ctx-size", "2048", "--n-gpu-layers", "-1", "--parallel", "4")
    assert changes(START, other(argv=argv)) == (
        "--ctx-size 1024 -> 2048",
        "--metrics set -> not set",
        "--parallel not set -> 4",
        "argument 1 /m/a.gguf -> /m/b.gguf",
    )


WORDS = st.one_of(
    st.sampled_from(["--a", "--b", "--c=1", "-d", "-1", "--port"]), st.text("xy0-=", min_size=1, max_size=3)
)


@given(st.lists(WORDS, max_size=8), st.lists(WORDS, max_size=8))
def test_any_command_lines_can_be_compared_and_both_ways(one: list[str], two: list[str]) -> None:
    a, b = other(argv=tuple(one)), other(argv=tuple(two))
    assert changes(a, a) == ()
    assert len(changes(a, b)) == len(changes(b, a))


def test_an_outage_is_the_last_start_where_there_was_one() -> None:
    assert outage("vllm", 10**12, 41.0).words == f"about {STOP_S + 41:.0f} s (as the last start took)"
    assert outage("vllm", None, None).words == f"about {STOP_S + BASE_S[True]:.0f} s (estimated)"


@given(st.sampled_from(STARTED), st.integers(0, 10**13))
def test_an_estimate_grows_with_the_weights(engine: EngineKind, weights: int) -> None:
    small, large = outage(engine, weights, None), outage(engine, weights + int(10 * READ_BYTES_S), None)
    assert large.seconds == pytest.approx(small.seconds + 10, abs=0.11)
    assert not small.measured
    assert small.seconds >= STOP_S


def serving(engine: EngineKind, **fields: object) -> Resolved:
    profile = Profile(name="a", model="a", engine=engine, serve=Serve(**fields))  # type: ignore[arg-type]
    return resolved(profile, None)


@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 8), st.data())
def test_vllms_replicas_have_gpus_of_their_own_while_there_are_enough(
    tensor: int, replicas: int, gpus: int, data: st.DataObject
) -> None:
    ids = tuple(data.draw(st.permutations(range(8)))[: gpus * tensor])
    if len(ids) < tensor:
        return
    ids = ids[: len(ids) // tensor * tensor]
    serve = serving("vllm", tensor_parallel_size=tensor, replicas=replicas, gpus=ids)
    taken = [named("vllm", serve, replica) for replica in range(replicas)]
    assert all(len(one) == tensor == group_size("vllm", serve) for one in taken)
    most = max([sum(gpu in one for one in taken) for gpu in ids])
    assert most == replicas_per_gpu("vllm", serve)
    if replicas * tensor <= len(ids):
        assert most == 1
    for replica in range(replicas):
        shown = visible("vllm", serve, replica)
        assert shown["CUDA_VISIBLE_DEVICES"] == ",".join(map(str, taken[replica]))
        assert shown["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
        assert occupied("vllm", serve, replica, tuple(range(8))) == taken[replica]


def test_an_engine_without_gpus_occupies_none() -> None:
    assert occupied("vllm-cpu", serving("vllm-cpu", kv_cache_gib=1), 0, (0, 1)) == ()
    assert occupied("llama-server", serving("llama-server", n_gpu_layers=0), 0, (0, 1)) == ()
    assert occupied("llama-server", serving("llama-server", n_gpu_layers=-1), 0, ()) == ()
    assert occupied("llama-server", serving("llama-server", n_gpu_layers=-1), 0, (0, 1)) == (0, 1)
    assert occupied("vllm", serving("vllm", tensor_parallel_size=2), 0, (0, 1, 2)) == (0, 1)
    assert visible("llama-server", serving("llama-server"), 0) == {}
