"""What a freeze does, in words."""

from __future__ import annotations

FROZEN = "nothing but a rollback moves by itself"
UNFROZEN = "automation goes on"
