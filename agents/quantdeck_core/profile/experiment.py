"""The schema of an experiment file."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from quantdeck_core.canary.settings import CanarySettings
from quantdeck_core.drift.thresholds import Thresholds, thresholds_of
from quantdeck_core.errors import InputError
from quantdeck_core.hashing import percent_to_bp
from quantdeck_core.profile.names import Name
from quantdeck_core.protocol.gateway import Shadow, Unkeyed, VariantName
from quantdeck_core.protocol.traffic import ArmLimits, Traffic, UserId

Percent = Annotated[str, Meta(max_length=20)] | int | float
"""As a number or as text, in steps of 0.01."""


class ExperimentArm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One arm of an experiment file: the name of a running engine on the gateway's host."""

    engine: Name
    limits: ArmLimits = ArmLimits()


class ShadowFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Copies for the other arm, whose answers are judged and thrown away.

    Attributes:
        of: whose requests are copied.
        share: percent of them.
    """

    of: VariantName = "control"
    share: Percent


class ExperimentFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An experiment as a person writes it.

    Attributes:
        gateway: the host whose gateway splits the users.
        unkeyed: where requests without a user go.
        tester_header: whether a request may choose its arm by `x-quantdeck-variant`.
        pinned: users who are on an arm whatever the weight says.
        cut_loops: a streamed answer that runs into an endless loop is ended by the gateway.
    """

    name: Name
    gateway: str
    control: ExperimentArm
    treatment: ExperimentArm
    unkeyed: Unkeyed = "control"
    tester_header: bool = False
    pinned: Annotated[dict[UserId, VariantName], Meta(max_length=1000)] = {}
    shadow: ShadowFile | None = None
    cut_loops: bool = False
    rollback: dict[str, Any] = {}
    canary: CanarySettings = CanarySettings()

    def thresholds(self) -> Thresholds:
        """When the treatment is put back: the `[rollback]` table over its preset.

        Raises:
            InputError: a preset that does not exist, an unknown field, or a value out of range.
        """
        try:
            return thresholds_of(self.rollback)
        except msgspec.ValidationError as error:
            raise InputError(f"[rollback] of {self.name}: {error}.", "docs/judgement.md shows what it takes.") from None

    def traffic(self) -> Traffic:
        """What the gateway is to do beside the weight.

        Raises:
            InputError: the shadow's share is no percentage.
        """
        shadow = self.shadow
        return Traffic(
            unkeyed=self.unkeyed,
            pinned=self.pinned,
            tester_header=self.tester_header,
            shadow=Shadow(of=shadow.of, share_bp=percent_to_bp(str(shadow.share))) if shadow else None,
            cut_loops=self.cut_loops,
            control=self.control.limits,
            treatment=self.treatment.limits,
        )
