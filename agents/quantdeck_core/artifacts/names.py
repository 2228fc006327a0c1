"""Names of artifacts and of the files in them: relative paths that can lead nowhere else."""

from __future__ import annotations

from quantdeck_core.errors import InputError
from quantdeck_core.text import clean

PATH_BYTES = 512
PART_BYTES = 200
"""File systems allow 255; staging and editors add to it."""


class ArtifactNameError(InputError):
    """A name that leads out of the model root, hides a file, or cannot be shown."""

    code = "bad-model-name"
    title = "Cannot use this name"


def check_path(path: str, what: str = "model") -> str:
    """The path itself.

    Raises:
        ArtifactNameError: it is not a plain relative path.
    """
    wrong = _wrong(path)
    if wrong:
        raise ArtifactNameError(
            f"{clean(path, one_line=True)[:120]!r} cannot name a {what}: {wrong}.",
            "Use a relative path such as team/llama-3-8b-awq or llama-3-8b.Q4_K_M.gguf.",
        )
    return path


def _wrong(path: str) -> str:
    if not path:
        return "it is empty"
    if clean(path, one_line=True) != path or "\ufffd" in path:
        return "it has characters that cannot be shown"
    if len(path.encode()) > PATH_BYTES:
        return f"it has more than {PATH_BYTES} bytes"
    if "\\" in path:
        return "it has a backslash"
    for part in path.split("/"):
        if not part:
            return "it is not a relative path"
        if part.startswith((".", "-")):
            return f"{part[:40]!r} begins with a {'dot' if part[0] == '.' else 'dash'}"
        if part != part.strip():
            return "a part of it begins or ends with a space"
        if len(part.encode()) > PART_BYTES:
            return f"a part of it has more than {PART_BYTES} bytes"
    return ""
