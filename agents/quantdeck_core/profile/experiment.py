"""The schema of an experiment file."""

from __future__ import annotations

import msgspec

from quantdeck_core.drift.thresholds import Thresholds
from quantdeck_core.profile.names import Name


class ExperimentArm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One arm of an experiment file: the name of a running engine on the gateway's host."""

    engine: Name


class ExperimentFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An experiment as a person writes it.

    Attributes:
        gateway: the host whose gateway splits the users.
    """

    name: Name
    gateway: str
    control: ExperimentArm
    treatment: ExperimentArm
    rollback: Thresholds = msgspec.field(default_factory=Thresholds)
