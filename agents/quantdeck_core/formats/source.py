"""Where a checkpoint's bytes come from: the edge implements it for a folder, tests for a dict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Protocol

from quantdeck_core.formats.errors import DOWNLOAD_AGAIN, CheckpointError, ConfigError

JSON_LIMIT = 32 << 20
"""Bytes of the largest JSON file that is read (the index of a checkpoint with 100,000 tensors has about 8 MiB)."""
VALUES_LIMIT = 1 << 19
"""Values in one JSON file, so that memory is bounded too: each costs a comma or a bracket."""


class Source(Protocol):
    """The regular files of one checkpoint. Names are plain file names: no folders, no `..`."""

    def files(self) -> Mapping[str, int]:
        """Name -> size in bytes."""
        ...

    def read(self, name: str, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset`; fewer only where the file ends.

        Raises:
            CheckpointError: it cannot be read.
        """
        ...


def read_exactly(source: Source, name: str, offset: int, length: int) -> bytes:
    """`length` bytes.

    Raises:
        CheckpointError: the file ends before, or cannot be read.
    """
    data = source.read(name, offset, length)
    if len(data) != length:
        raise CheckpointError(f"{name} ends at byte {offset + len(data)}, before its header does.", DOWNLOAD_AGAIN)
    return data


def read_json(source: Source, name: str) -> dict[str, object]:
    """A JSON object from a file of at most `JSON_LIMIT` bytes and `VALUES_LIMIT` values.

    The standard library's decoder, because `transformers` writes `Infinity` into some configurations and stricter
    decoders refuse it.

    Raises:
        ConfigError: too large, no JSON, nested too deeply, or no object.
    """
    size = source.files()[name]
    if size > JSON_LIMIT:
        raise ConfigError(f"{name} has {size} bytes; no configuration is that long.", "Look at what the file is.")
    data = source.read(name, 0, size)
    if sum(map(data.count, (b",", b"{", b"["))) > VALUES_LIMIT:
        raise ConfigError(f"{name} has more than {VALUES_LIMIT} values; no model needs so many.", "Look at the file.")
    try:
        body = json.loads(data)
    except RecursionError:
        raise ConfigError(f"{name} is nested too deeply.", "Look at what the file is.") from None
    except ValueError as error:
        # UnicodeDecodeError, JSONDecodeError and numbers with too many digits are all ValueErrors.
        raise ConfigError(f"{name} is not valid JSON: {str(error)[:120]}.", DOWNLOAD_AGAIN) from None
    if not isinstance(body, dict):
        raise ConfigError(f"{name} holds no JSON object.", DOWNLOAD_AGAIN)
    return body
