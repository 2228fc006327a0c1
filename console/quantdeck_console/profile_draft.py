"""A profile for a checkpoint, as TOML with comments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from quantdeck_checkpoints.local_source import LocalSource
from quantdeck_console.profile_source import flag_table
from quantdeck_core.compat.judge import Verdict, judge_all
from quantdeck_core.compat.rules import parse_rules
from quantdeck_core.errors import ConflictError, ExitCode, InputError, QuantdeckError
from quantdeck_core.fleet.cells import size
from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.formats.detect import detect
from quantdeck_core.hardware.device import Device
from quantdeck_core.profile.check import parse_profile
from quantdeck_core.profile.defaults import resolved
from quantdeck_core.profile.names import STARTED, VLLM, EngineKind
from quantdeck_core.profile.schema import Profile
from quantdeck_core.profile.serve import Resolved
from quantdeck_core.text import clean
from quantdeck_profiles import data

_PREFERRED = ("ok", "slow", "plugin")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class RefusedError(QuantdeckError):
    """No engine serves this checkpoint, or not the one that was named."""

    code = "checkpoint-refused"
    title = "Refused"
    exit_code = ExitCode.NO


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A profile that was written; `--json` prints it.

    Attributes:
        output: the file that it went to; None for none.
    """

    name: str
    engine: EngineKind
    verdict: str
    reason: str
    toml: str
    output: str | None = None

    def to(self, file: Path) -> Draft:
        """Write it.

        Raises:
            ConflictError: the file exists.
            InputError: it cannot be written.
        """
        try:
            with file.open("x", encoding="utf-8") as out:
                out.write(self.toml)
        except FileExistsError:
            raise ConflictError(f"{file} exists, and is not overwritten.", "Name another --output.") from None
        except OSError as error:
            raise InputError(f"Cannot write {file}: {error.strerror}.", "Check --output.") from None
        return msgspec.structs.replace(self, output=str(file))

    def lines(self) -> Iterator[str]:
        """The TOML; or, where it went to a file, which."""
        if self.output is None:
            yield from self.toml.splitlines()
            return
        yield f"{self.output}: {self.name}, {self.engine} ({self.verdict})."
        yield f"  next: quantdeck profile render {self.output}"


def draft(path: Path, engine: EngineKind | None, name: str | None, device: Device | None) -> Draft:
    """Detect the checkpoint, choose an engine, write the profile.

    Args:
        engine: None for the first that does not refuse it; those that need no plugin come first.
        name: None for one made from the path.
        device: None for any.

    Raises:
        RefusedError: no engine serves it.
        InputError: the path is no checkpoint, or its name cannot be written into a profile.
    """
    found = detect(LocalSource(path))
    verdict, chosen = _choose(found, engine, device)
    if name is not None and not _NAME.fullmatch(name):
        raise InputError(f"{name!r} is no name of a profile.", "Use lower case, digits and . _ -, 63 at most.")
    model = str(path.resolve())
    toml = "\n".join(_toml(found, verdict, chosen, name or _name(path), model)) + "\n"
    profile = parse_profile(toml, "the new profile", flag_table())
    return Draft(name=profile.name, engine=chosen, verdict=verdict.verdict, reason=verdict.reason, toml=toml)


def _choose(found: Checkpoint, engine: EngineKind | None, device: Device | None) -> tuple[Verdict, EngineKind]:
    verdicts = {
        verdict.engine: verdict for verdict in judge_all(parse_rules(data.text("compatibility")), found, device)
    }
    wanted = STARTED if engine is None else (engine,)
    for answer in _PREFERRED:
        for kind in wanted:
            if kind in verdicts and verdicts[kind].verdict == answer:
                return verdicts[kind], kind
    first = verdicts[wanted[0]]
    which = engine or "every engine"
    raise RefusedError(f"{found.label} is refused by {which}: {first.reason}", first.hint)


def _name(path: Path) -> str:
    stem = path.resolve().name.removesuffix(".gguf").lower()
    return re.sub(r"[^a-z0-9._-]+", "-", stem).strip("._-")[:63] or "model"


def _toml(found: Checkpoint, verdict: Verdict, engine: EngineKind, name: str, model: str) -> Iterator[str]:
    development = found.format == "bitsandbytes"
    serve = resolved(Profile(name="x", model="x", engine=engine), found.parameters)
    yield f"# {clean(found.label, one_line=True)}, {size(found.weights_bytes)} of weights, by its headers."
    yield f"# {engine}: {verdict.verdict}. {verdict.reason}"
    yield from (f"# {text}" for text in (verdict.consequence, verdict.hint) if text and verdict.verdict != "ok")
    yield f"name = {_quoted(name)}"
    yield f"description = {_quoted(clean(found.label, one_line=True) + ' on ' + engine)}"
    yield f"model = {_quoted(model)}  # below the agent's model root"
    yield 'served_name = "assistant"  # what clients send; the same on both arms of an experiment'
    yield f'engine = "{engine}"'
    if development:
        yield "development = true  # no kernels for batches: convert to GPTQ or AWQ before users come"
    yield from ("", "[serve]")
    yield from _vllm(found, serve) if engine in VLLM else _llamacpp(found, serve)
    yield from ("", "[warmup]", "prompts = 3", "deadline_s = 600  # from start to ready")


def _context(found: Checkpoint, serve: Resolved) -> Iterator[str]:
    own = f"; the model was made for {found.context_length}" if found.context_length else ""
    length = min(serve.max_model_len, found.context_length or serve.max_model_len)
    yield f"max_model_len = {length}  # tokens of prompt and answer{own}"


def _vllm(found: Checkpoint, serve: Resolved) -> Iterator[str]:
    yield from _context(found, serve)
    yield f"max_num_seqs = {serve.max_num_seqs}  # at once"
    yield f"max_num_batched_tokens = {serve.max_num_batched_tokens}  # in one step"
    if serve.gpu_memory_utilization is not None:
        yield f"gpu_memory_utilization = {serve.gpu_memory_utilization:.2f}  # of a GPU, weights and KV cache"
        yield "tensor_parallel_size = 1  # GPUs that share each layer"
    else:
        yield f"kv_cache_gib = {serve.kv_cache_gib}"
    yield "enforce_eager = false  # true costs speed"
    if found.remote_code:
        yield "# The checkpoint brings Python code. true runs it: read it before."
    yield "trust_remote_code = false"


def _llamacpp(found: Checkpoint, serve: Resolved) -> Iterator[str]:
    yield from _context(found, serve)
    if serve.max_tokens is not None:
        yield f"max_num_seqs = {serve.max_num_seqs}  # slots, each with the whole max_model_len"
        yield f"max_tokens = {serve.max_tokens}  # of an answer, where a request names no number"
    yield f"threads = {serve.threads}  # not more than physical cores, of all engines together"
    yield f"batch_size = {serve.batch_size}"
    layers = f", {found.layers} layers in all" if found.layers else ""
    yield f"n_gpu_layers = {serve.n_gpu_layers}  # -1 for all on the GPU{layers}"


def _quoted(text: str) -> str:
    """A TOML string; JSON's are, without control characters.

    Raises:
        InputError: a name that is no text.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(f"{text!r} is no UTF-8, as TOML must be.", "Rename the file.") from None
    return json.dumps(text, ensure_ascii=False)
