"""docs/profiles.md says what the schema says."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantdeck_core.profile.fields import ENGINES
from support.profile_table import tables

PAGE = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text("utf-8")


@pytest.mark.parametrize("table", tables(), ids=["fields", "sized", "mapping", "allowed"])
def test_the_page_holds_the_table(table: str) -> None:
    assert table in PAGE, "run: python -m support.profile_table"


def test_every_field_is_explained() -> None:
    for field in ENGINES:
        assert f"| `{field}` | " in PAGE, field
