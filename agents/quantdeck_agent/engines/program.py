"""Which program an engine is on this host, and which version of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatchcase
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from quantdeck_core.engines.interface import INTERFACES
from quantdeck_core.engines.version import version_key
from quantdeck_core.errors import InputError
from quantdeck_core.profile.names import EngineKind
from quantdeck_core.profile.schema import Profile

_ASK_S = 30.0
_BUILD = re.compile(r"^version: (\d+)\b", re.MULTILINE)
_SHEBANG = re.compile(rb"^#!\s*(/\S*python[\w.]*)")
_ASK_VERSION = "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))"


class ExecutableMissingError(InputError):
    """The engine is not installed here, or not where the profile says."""

    code = "executable-missing"
    title = "Engine not installed"


class Program(NamedTuple):
    """What is started.

    Attributes:
        path: of the engine's program, or of the interpreter that has its package.
        version: None where it does not say.
    """

    path: str
    version: str | None


def program_of(profile: Profile, models: Path) -> Program:
    """The program for a profile; asks it for its version, which takes up to a second.

    Raises:
        ExecutableMissingError: there is none, or its package is missing.
        InputError: the profile names a program that is none of this engine's, or that lies below the model root.
    """
    engine = profile.engine
    path = _named(profile, models) if profile.executable else _usual(engine)
    package = INTERFACES[engine].package
    if package is None:
        return Program(path, _version_of_binary(path))
    python = path if engine in ("xllamacpp", "llama-cpp-python") else _interpreter(path)
    version = _version_of_package(python, package) if python else None
    if version is None and engine in ("xllamacpp", "llama-cpp-python"):
        raise ExecutableMissingError(
            f"{python} has no {package}.",
            f"Install {package} there, or name the interpreter that has it: executable in the profile."
            if engine == "llama-cpp-python"
            else "Install quantdeck[xllamacpp] on this host.",
        )
    return Program(path, version)


def package_beside(script: str, package: str) -> str | None:
    """The version of another package in a console script's environment; None where there is none."""
    python = _interpreter(script)
    return _version_of_package(python, package) if python else None


def _named(profile: Profile, models: Path) -> str:
    path, allowed = Path(profile.executable), INTERFACES[profile.engine].programs
    if not any(fnmatchcase(path.name, pattern) for pattern in allowed):
        raise InputError(
            f"{profile.executable} is no program of {profile.engine}.",
            f"It may be called {', '.join(allowed)}."
            if allowed
            else "Leave executable out: it runs in the agent's own.",
        )
    # Whoever may push a model must not be able to have it executed.
    for one in (path, path.resolve()):
        if one.is_relative_to(models.resolve()):
            raise InputError(f"{path} lies below the model root.", "Programs are installed elsewhere.")
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise ExecutableMissingError(
            f"{profile.name} names {path}, and there is no such program on this host.",
            f"Install {profile.engine} there, or correct executable in the profile.",
        )
    return str(path)


def _usual(engine: EngineKind) -> str:
    if engine in ("xllamacpp", "llama-cpp-python"):
        return sys.executable
    name = "llama-server" if engine == "llama-server" else "vllm"
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which(name)
    if found is None:
        raise ExecutableMissingError(
            f"{name} is not on the agent's path.",
            f'Install it, or name it in the profile: executable = "/path/to/{name}".',
        )
    return found


def _interpreter(script: str) -> str | None:
    """The Python that a console script runs in."""
    try:
        with Path(script).open("rb") as file:
            first = file.readline(1000)
    except OSError:
        return None
    match = _SHEBANG.match(first)
    return match[1].decode() if match else None


def _version_of_package(python: str, package: str) -> str | None:
    if python == sys.executable:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            return None
    answer = _ask([python, "-c", _ASK_VERSION, package])
    return _usable(answer.strip().splitlines()[-1]) if answer and answer.strip() else None


def _version_of_binary(path: str) -> str | None:
    """llama.cpp's build number; a build from a source distribution calls itself 0 or 1, and says nothing."""
    match = _BUILD.search(_ask([path, "--version"]) or "")
    return f"b{match[1]}" if match and int(match[1]) > 1 else None


def _usable(version: str) -> str | None:
    try:
        version_key(version)
    except InputError:
        return None
    return version


def _ask(argv: list[str]) -> str | None:
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=_ASK_S, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout + done.stderr
