"""The config on disk: checked, read, and replaced as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from quantdeck_core.errors import InputError, QuantdeckError
from quantdeck_core.protocol.gateway import Arm, GatewayConfig
from quantdeck_core.protocol.keys import check_keys
from quantdeck_gateway import config_toml
from quantdeck_gateway.addresses import split_url


class NotSavedError(QuantdeckError):
    """The config could not be written; the old one still holds."""

    code = "config-not-saved"
    title = "Config not saved"
    http_status = 507


def decode(data: bytes) -> GatewayConfig:
    """A config from JSON, checked.

    Raises:
        InputError: it is no config.
    """
    try:
        config = msgspec.json.decode(data, type=GatewayConfig)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise InputError(f"This is no gateway config: {error}", "Send a GatewayConfig as JSON.") from None
    check(config)
    return config


class _Latch(msgspec.Struct):
    name: str
    latched: bool | msgspec.UnsetType = msgspec.UNSET


class _Latches(msgspec.Struct):
    experiments: tuple[_Latch, ...] = ()


def decode_saying(data: bytes) -> tuple[GatewayConfig, frozenset[str]]:
    """The same, and the names of the experiments that say whether they are latched.

    Raises:
        InputError: it is no config.
    """
    config = decode(data)
    latches = msgspec.json.decode(data, type=_Latches).experiments
    return config, frozenset(one.name for one in latches if one.latched is not msgspec.UNSET)


def check(config: GatewayConfig) -> None:
    """Refuse what the types cannot.

    Raises:
        InputError: two experiments, replicas or API keys that cannot be told apart, an address that is none, or a
            latched experiment with a weight.
    """
    check_keys(config.api_keys)
    _distinct("experiment", (experiment.name for experiment in config.experiments))
    _distinct("served name", (experiment.served_name for experiment in config.experiments))
    for experiment in config.experiments:
        if experiment.latched and experiment.weight_bp:
            raise InputError(
                f"{experiment.name} is latched and has a weight.", "Give it weight 0, or leave the latch open."
            )
        for user in experiment.pinned:
            _check_user(user)
        for arm in (experiment.control, experiment.treatment):
            _check_arm(arm)


def _check_user(user: str) -> None:
    try:
        user.encode()
    except UnicodeEncodeError:
        raise InputError(f"The pinned user {user!r} is not UTF-8.", "No request can name it; leave it out.") from None


def _check_arm(arm: Arm) -> None:
    _distinct("replica", (replica.name for replica in arm.replicas))
    for replica in arm.replicas:
        split_url(replica.url)
        key = replica.api_key or ""
        if not (key.isascii() and key.isprintable()):
            raise InputError(f"The API key of {replica.name} has characters that no header may have.", "Check it.")


def _distinct(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not name or name in seen:
            raise InputError(f"The {what} {name!r} is empty or there twice.", "Give each its own name.")
        seen.add(name)


def is_toml(path: Path) -> bool:
    """Whether a person writes it, so that it is only read here."""
    return path.suffix == ".toml"


def load(path: Path) -> GatewayConfig:
    """The config in a file; the empty one where there is no JSON file yet.

    Raises:
        InputError: the file cannot be read or is no config.
    """
    return load_saying(path)[0]


def load_saying(path: Path) -> tuple[GatewayConfig, frozenset[str]]:
    """The same, and the names of the experiments that say whether they are latched.

    Raises:
        InputError: the file cannot be read or is no config.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        if not is_toml(path):
            return GatewayConfig(), frozenset()
        raise InputError(f"There is no {path}.", "Check --config.") from None
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.", "Check --config.") from None
    if not is_toml(path):
        return decode_saying(data)
    config, said = config_toml.decode(data, str(path))
    check(config)
    return config, said


def save(path: Path, config: GatewayConfig) -> None:
    """Replace the file; when this returns the config survives a power cut. Only its owner may read it: it holds keys.

    Raises:
        NotSavedError: it could not be written; the old file is intact.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(config)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise NotSavedError(
            f"Cannot write {path}: {error.strerror}. The old config still holds.", "Check the disk."
        ) from None
