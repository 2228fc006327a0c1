"""The engines that the matrix is about, and the checkpoints that they serve. One that is not there is skipped, and
says so."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).parent


def program(variable: str) -> str:
    """The program that a variable names; skips where there is none."""
    named = os.environ.get(variable)
    if not named:
        pytest.skip(f"{variable} names no program: this engine could not be had here")
    assert os.access(named, os.X_OK), f"{variable} names {named}, which cannot be started"
    return named


@pytest.fixture(scope="session")
def vllm_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama in BF16 and in GPTQ 4-bit, as Hugging Face writes them."""
    python = Path(program("QUANTDECK_VLLM")).with_name("python")
    folder = tmp_path_factory.mktemp("hf")
    bf16, gptq = folder / "tiny-bf16", folder / "tiny-gptq"
    tiny = SETUP.parent / "engines" / "help" / "tiny_llama.py"
    subprocess.run([python, tiny, bf16], check=True, capture_output=True)
    subprocess.run([python, SETUP / "gptq_by_hand.py", bf16, gptq], check=True, capture_output=True)
    return folder
