"""The config as a person writes it: TOML with weights in percent and engines as URLs."""

from __future__ import annotations

import tomllib
from typing import Annotated

import msgspec
from msgspec import Meta

from quantdeck_core.errors import InputError
from quantdeck_core.hashing import percent_to_bp
from quantdeck_core.protocol.gateway import (
    ApiKey,
    Arm,
    ExperimentRoute,
    GatewayConfig,
    Limits,
    Replica,
    Shadow,
    Unkeyed,
    VariantName,
)

Percent = Annotated[str, Meta(max_length=20)] | int | float


class _Arm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    urls: tuple[str, ...] = ()
    replica: tuple[Replica, ...] = ()
    """For what an address alone does not say: `name`, `url`, `api_key`, `model`."""
    limits: Limits = Limits()

    def arm(self, variant: VariantName) -> Arm:
        named = (Replica(name=f"{variant}-{number}", url=url) for number, url in enumerate(self.urls))
        return Arm(replicas=(*named, *self.replica), generation=1, limits=self.limits)


class _Shadow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    of: VariantName = "control"
    share: Percent


class _Experiment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    served_name: str = ""
    weight: Percent = 0
    control: _Arm
    treatment: _Arm = _Arm()
    unkeyed: Unkeyed = "control"
    pinned: dict[str, VariantName] = {}
    tester_header: bool = False
    shadow: _Shadow | None = None
    latched: bool | msgspec.UnsetType = msgspec.UNSET
    cut_loops: bool = False
    keep_flagged: bool = False

    def route(self) -> ExperimentRoute:
        shadow = Shadow(of=self.shadow.of, share_bp=percent_to_bp(str(self.shadow.share))) if self.shadow else None
        return ExperimentRoute(
            name=self.name,
            served_name=self.served_name or self.name,
            weight_bp=percent_to_bp(str(self.weight)),
            control=self.control.arm("control"),
            treatment=self.treatment.arm("treatment"),
            unkeyed=self.unkeyed,
            pinned=self.pinned,
            tester_header=self.tester_header,
            shadow=shadow,
            latched=self.latched is True,
            cut_loops=self.cut_loops,
            keep_flagged=self.keep_flagged,
        )


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    experiment: tuple[_Experiment, ...] = ()
    api_key: tuple[ApiKey, ...] = ()


def decode(data: bytes, source: str) -> tuple[GatewayConfig, frozenset[str]]:
    """The config with revision 1, and the names of the experiments that say whether they are latched.

    Args:
        source: file name for messages.

    Raises:
        InputError: it is no TOML, or not of this kind.
    """
    try:
        file = msgspec.convert(tomllib.loads(data.decode()), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{source}: {error}", "docs/gateway.md shows a complete file.") from None
    config = GatewayConfig(revision=1, experiments=tuple(one.route() for one in file.experiment), api_keys=file.api_key)
    return config, frozenset(one.name for one in file.experiment if one.latched is not msgspec.UNSET)
