"""What a command line needs besides the profile."""

from __future__ import annotations

import msgspec


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """One instance that is to be started.

    Attributes:
        model_path: absolute path of the checkpoint.
        port: to listen on.
        python: interpreter that has the engine's package.
        executable: the engine's own program, where it is a program; None for the name that the table gives it.
        version: of the engine; None for the newest that the table of flags describes.
        replica: which of the profile's replicas, from 0.
        parameters: of the model, for defaults that depend on its size; None where they are not known.
        scratch: folder for what a runtime of its own keeps beside the engine; over several hosts: Ray.
    """

    model_path: str
    port: int
    python: str = "python3"
    executable: str | None = None
    version: str | None = None
    replica: int = 0
    parameters: int | None = None
    scratch: str = ""
