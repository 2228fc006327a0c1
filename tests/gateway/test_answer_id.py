"""Ids of answers: whoever has the key reads them, and nobody else makes one."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.errors import InputError
from quantdeck_core.protocol.gateway import VariantName
from quantdeck_gateway.answer_id import KEY_BYTES, AnswerIds, tag_of
from quantdeck_gateway.answer_key import answer_key

KEY = bytes(range(KEY_BYTES))
VARIANTS = st.sampled_from(["control", "treatment"])


@given(st.text(max_size=40).filter(lambda name: name.isprintable()), VARIANTS, st.integers(0, 2**62))
def test_what_was_made_is_read_back(experiment: str, variant: VariantName, generation: int) -> None:
    made = AnswerIds(KEY).mint(experiment, variant, generation)().decode()
    read = AnswerIds(KEY).read(made)
    assert read is not None
    assert read[:3] == (tag_of(experiment), variant, generation)
    assert AnswerIds(KEY[::-1]).read(made) is None


@given(st.data(), VARIANTS, st.integers(0, 10**6))
def test_any_changed_character_is_refused(data: st.DataObject, variant: VariantName, generation: int) -> None:
    ids = AnswerIds(KEY)
    made = ids.mint("exp", variant, generation)().decode()
    at = data.draw(st.integers(0, len(made) - 1))
    other = data.draw(st.characters().filter(lambda one: one != made[at]))
    assert ids.read(made[:at] + other + made[at + 1 :]) is None
    assert ids.read(made[:at] + made[at + 1 :]) is None
    assert ids.read(made[:at] + other + made[at:]) is None
    assert ids.read(made[:at]) is None
    assert ids.read(made.upper()) is None


@given(st.text(max_size=200))
def test_whatever_is_sent_is_refused(text: str) -> None:
    assert AnswerIds(KEY).read(text) is None


def test_processes_with_one_key_never_make_the_same_id() -> None:
    mints = [AnswerIds(KEY).mint("exp", "control", 1) for _ in range(8)]
    made = [mint() for mint in mints for _ in range(100)]
    assert len(set(made)) == len(made)
    assert all(one.replace(b".", b"").isalnum() and len(one) < 100 for one in made)


def test_the_arms_of_one_process_share_its_numbers() -> None:
    ids = AnswerIds(KEY)
    control, treatment = ids.mint("exp", "control", 1), ids.mint("exp", "treatment", 1)
    marks = {read.mark for made in (control(), treatment(), control()) if (read := ids.read(made.decode()))}
    assert len(marks) == 3


def test_the_key_is_kept_beside_the_config(tmp_path: Path) -> None:
    config = tmp_path / "gateway.json"
    key = answer_key(config)
    file = tmp_path / "gateway.key"
    assert (len(key), stat.S_IMODE(file.stat().st_mode)) == (KEY_BYTES, 0o600)
    assert answer_key(config) == key
    assert [one.name for one in tmp_path.iterdir()] == ["gateway.key"]


def test_a_gateway_without_a_config_has_a_key_of_its_own() -> None:
    assert answer_key(None) != answer_key(None)


def test_a_damaged_or_open_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "gateway.key"
    file.write_bytes(KEY)
    file.chmod(0o640)
    with pytest.raises(InputError, match="Others may read"):
        answer_key(tmp_path / "gateway.json")
    file.write_bytes(KEY[:5])
    with pytest.raises(InputError, match="no key"):
        answer_key(tmp_path / "gateway.json")


def test_a_folder_that_takes_no_file_costs_only_the_memory_of_earlier_answers(tmp_path: Path) -> None:
    assert len(answer_key(tmp_path / "missing" / "gateway.json")) == KEY_BYTES
