"""Makes profiles/quantdeck_profiles/data/architectures.toml from real installations.

    VLLM_PYTHON -m support.architectures LLAMA_CPP COMMIT > profiles/quantdeck_profiles/data/architectures.toml

`VLLM_PYTHON` is the interpreter of an environment with vLLM (its CPU build will do) and transformers, started in
tests/; `LLAMA_CPP` is a checkout of llama.cpp, `COMMIT` what to call its state. Nothing of the checkout is executed.
"""

from __future__ import annotations

import ast
import re
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def main() -> None:
    """Print the table."""
    checkout, commit = Path(sys.argv[1]), sys.argv[2]
    registry, vllm_version = _registry()
    transformers_version, compatible = _transformers()
    through = set(registry._TRANSFORMERS_SUPPORTED_MODELS)
    native = set(registry._VLLM_MODELS) - through - set(registry._TRANSFORMERS_BACKEND_MODELS)
    cmake = (checkout / "CMakeLists.txt").read_text("utf-8")
    version = ".".join(re.findall(r"set\(LLAMA_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)\)", cmake))
    print(HEADER)
    print(f'[vllm]\nversion = "{vllm_version}"\ntransformers = "{transformers_version}"')
    print(f"native = {_list(native)}")
    print(f"through_transformers = {_list((through | compatible) - native)}")
    print(f"removed = {_table(registry._PREVIOUSLY_SUPPORTED_MODELS)}")
    print(f"plugins = {_table(registry._OOT_SUPPORTED_MODELS)}\n")
    print(f'[llamacpp]\nversion = "{version} ({commit})"')
    print(f"gguf = {_list(_gguf_names(checkout))}")
    print(f"converted = {_list(_converted(checkout))}\n")
    print(f'[transformers]\nversion = "{transformers_version}"')
    print(f"gguf = {_list(_transformers_gguf())}")


HEADER = """\
# Names of architectures that engines know. Made by tests/support/architectures.py, which says how; do not edit by hand.
# vllm: `model_executor/models/registry.py`. `through_transformers` has no implementation of vLLM's own: it runs
# transformers' (`TransformersForCausalLM`), for every class that transformers says can.
# llamacpp: `gguf` from `src/llama-arch.cpp`; `converted`, what convert_hf_to_gguf.py reads, from
# `conversion/__init__.py`.
# transformers: `gguf`, what it reads of GGUF, from `modeling_gguf_pytorch_utils.py`, in the GGUFs' own names.
"""


def _registry() -> tuple[Any, str]:
    import vllm
    from vllm.model_executor.models import registry

    return registry, vllm.__version__


def _transformers() -> tuple[str, set[str]]:
    """Version, and classes for text that vLLM would take: the same questions as `_try_resolve_transformers`."""
    warnings.filterwarnings("ignore")
    import transformers

    found = set()
    for name in dir(transformers):
        if not name.endswith(("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")):
            continue
        try:
            model = getattr(transformers, name)
            if model.is_backend_compatible() or model._can_set_attn_implementation():
                found.add(name)
        except (AttributeError, ImportError, OSError):
            continue
    return transformers.__version__, found


def _transformers_gguf() -> list[str]:
    """Its list names sections of metadata too, and some models by its own names."""
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    renamed = {"qwen2_moe": "qwen2moe", "qwen3_moe": "qwen3moe", "gpt_oss": "gpt-oss", "minimax_m2": "minimax-m2"}
    return [renamed.get(name, name) for name in GGUF_SUPPORTED_ARCHITECTURES if name not in ("general", "tokenizer")]


def _gguf_names(checkout: Path) -> list[str]:
    source = (checkout / "src" / "llama-arch.cpp").read_text("utf-8")
    names = re.findall(r'\{\s*LLM_ARCH_\w+,\s*"([^"(]+)"\s*\}', source)
    return [name for name in names if name != "clip"]  # a projector, no language model


def _converted(checkout: Path) -> list[str]:
    source = (checkout / "conversion" / "__init__.py").read_text("utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "TEXT_MODEL_MAP" and node.value:
            return list(ast.literal_eval(node.value))
    raise SystemExit("conversion/__init__.py has no TEXT_MODEL_MAP: look how this llama.cpp lists its models.")


def _list(names: Iterable[str]) -> str:
    lines, line = [], " "
    for name in sorted(set(names)):
        if len(line) + len(name) > 114:
            lines.append(line)
            line = " "
        line += f' "{name}",'
    return "[\n" + "\n".join([*lines, line]) + "\n]"


def _table(entries: dict[str, str]) -> str:
    return "{ " + ", ".join(f'{name} = "{value}"' for name, value in sorted(entries.items())) + " }"


if __name__ == "__main__":
    main()
