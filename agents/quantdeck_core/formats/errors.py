"""Errors of reading a checkpoint. All are input errors: nothing was started, the exit status is 2."""

from __future__ import annotations

from quantdeck_core.errors import InputError

DOWNLOAD_AGAIN = "Download or copy the file again and compare its size and SHA-256 with the source."


class CheckpointError(InputError):
    """A checkpoint that cannot be read."""

    code = "checkpoint-unreadable"
    title = "Cannot read this checkpoint"


class SafetensorsError(CheckpointError):
    """A safetensors file whose header is cut short, inconsistent or absurd."""

    code = "safetensors-broken"
    title = "Broken safetensors file"


class GgufError(CheckpointError):
    """A GGUF file whose header is cut short, inconsistent or absurd."""

    code = "gguf-broken"
    title = "Broken GGUF file"


class ConfigError(CheckpointError):
    """A JSON file of the checkpoint that is no JSON, or holds something else than it should."""

    code = "config-broken"
    title = "Broken model configuration"


class UnknownFormatError(CheckpointError):
    """Nothing that quantdeck knows; the detail says what was looked for."""

    code = "format-unknown"
    title = "Unknown checkpoint format"


class AmbiguousError(CheckpointError):
    """A folder with several checkpoints."""

    code = "checkpoint-ambiguous"
    title = "Several checkpoints"
