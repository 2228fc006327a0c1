"""Choosing what to deploy and where, as a function of keys."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_console.model.deploy_choice import Choice
from quantdeck_console.model.deploy_profiles import ProfileItem
from quantdeck_console.profile_list import read_item, read_items, source_of
from quantdeck_core.errors import InputError
from support.profiles import BUILT_IN

HOSTS = ("gpu-1", "gpu-2", "gpu-10", "van-7")
ITEMS = tuple(ProfileItem(source=name, profile=BUILT_IN[name]) for name in ("demo-f16", "demo-q8", "llama-2-7b-fp8"))
BROKEN = read_item("./missing.toml")
CHOICE = Choice(hosts=HOSTS).having(ITEMS)

Key = Callable[[Choice], Choice]
KEYS: dict[str, Key] = {
    "down": lambda choice: choice.moved(1),
    "up": lambda choice: choice.moved(-1),
    "bottom": lambda choice: choice.moved(10_000),
    "top": lambda choice: choice.moved(-10_000),
    "space": Choice.marked,
    "tab": lambda choice: choice.turned(1),
    "shift+tab": lambda choice: choice.turned(-1),
    "filter": lambda choice: choice.filtered("q8"),
    "filter hosts": lambda choice: choice.filtered("gpu"),
    "filter none": lambda choice: choice.filtered("nothing has this"),
    "no filter": lambda choice: choice.filtered(""),
    "swap": Choice.swapping,
    "force": Choice.forcing,
    "name": lambda choice: choice.named("treatment"),
    "about": lambda choice: choice.about("gpu-2"),
    "about nobody": lambda choice: choice.about("gone"),
    "broken": lambda choice: choice.given(BROKEN),
    "file": lambda choice: choice.given(ITEMS[0]),
    "begun": lambda choice: choice.begun(choice.marks[:1]),
    "reopened": lambda choice: choice.reopened(HOSTS),
}  # fmt: skip


def after(choice: Choice, *keys: str) -> Choice:
    for key in keys:
        choice = KEYS[key](choice)
    return choice


@given(st.lists(st.sampled_from(sorted(KEYS)), max_size=40))
def test_whatever_is_pressed_the_choice_stays_one(keys: list[str]) -> None:
    choice = CHOICE
    for key in keys:
        before, choice = choice, KEYS[key](choice)
        assert set(choice.marks) <= set(HOSTS)
        assert len(set(choice.marks)) == len(choice.marks)
        assert choice.host in ("", *choice.shown_hosts)
        assert (choice.host == "") == (not choice.shown_hosts)
        assert choice.under is None or choice.under in choice.shown_profiles
        assert (choice.wish() is None) == (choice.chosen is None)
        wanted = (choice.profile, choice.name), (before.profile, before.name)
        if wanted[0] != wanted[1] or set(choice.marks) - set(before.marks):
            assert (choice.swap, choice.force) == (False, False), f"{key} kept what was accepted for something else"


def test_space_chooses_and_marks_and_takes_both_back() -> None:
    choice = after(CHOICE, "down", "space")
    assert choice.profile == choice.engine == "demo-q8"
    assert after(choice, "space").chosen is None
    choice = after(choice, "tab", "bottom", "space", "top", "space")
    assert choice.marks == ("van-7", "gpu-1"), "in the order in which they were marked"
    assert after(choice, "space").marks == ("van-7",)


def test_the_mark_follows_what_the_pane_is_about_until_somebody_marks() -> None:
    choice = CHOICE.about("gpu-1")
    assert (choice.marks, choice.host) == (("gpu-1",), "gpu-1")
    choice = choice.about("gpu-10")
    assert (choice.marks, choice.host) == (("gpu-10",), "gpu-10")
    choice = after(choice, "tab", "down", "space")
    assert choice.about("gpu-1").marks == ("gpu-10", "van-7")
    assert choice.about("gpu-1").host == "gpu-1"
    assert CHOICE.about("gone") == CHOICE


def test_what_has_begun_is_marked_no_more() -> None:
    choice = after(CHOICE.about("gpu-1"), "space", "tab", "down", "space")
    assert choice.begun(["gpu-1"]).marks == ("gpu-2",)
    done = choice.begun(["gpu-1", "gpu-2"])
    assert done.marks == ()
    assert done.about("van-7").marks == ("van-7",)


def test_moving_stops_at_both_ends_and_follows_the_filter() -> None:
    assert after(CHOICE, "up", "up").under == ITEMS[0]
    assert after(CHOICE, "bottom", "down").under == ITEMS[2]
    found = CHOICE.filtered("FP8 vllm")
    assert [item.name for item in found.shown_profiles] == ["llama-2-7b-fp8"]
    assert found.under == ITEMS[2]
    assert after(found, "space", "no filter").under == ITEMS[2], "the cursor stays on what was chosen"
    assert [item.name for item in CHOICE.filtered("!vllm").shown_profiles] == ["demo-f16", "demo-q8"]
    hosts = after(CHOICE, "tab").filtered("gpu-1")
    assert hosts.shown_hosts == ("gpu-1", "gpu-10")
    assert hosts.about("van-7").shown_hosts == HOSTS, "the host that it is about is not hidden by a filter"


def test_a_wish_is_checked_without_force_which_changes_no_check() -> None:
    choice = after(CHOICE, "down", "space", "swap", "force")
    wish, asked = choice.wish(), choice.asked()
    assert wish is not None
    assert asked is not None
    assert (wish.swap, wish.force, wish.replace) == (True, True, True)
    assert (asked.swap, asked.force) == (True, False)


def test_a_name_is_one_that_an_agent_takes() -> None:
    choice = after(CHOICE, "space", "name")
    assert choice.engine == "treatment"
    assert choice.named("").engine == "demo-f16"
    with pytest.raises(InputError, match="no name for an engine"):
        choice.named("-rf")


def test_a_file_that_cannot_be_read_is_shown_and_cannot_be_chosen() -> None:
    choice = after(CHOICE, "down", "space").given(BROKEN)
    assert choice.under == BROKEN
    assert after(choice, "space") == choice
    assert choice.profile == "demo-q8"
    assert after(choice, "filter none").given(BROKEN).under == BROKEN


def test_a_file_that_is_broken_by_now_is_chosen_no_more() -> None:
    choice = after(CHOICE, "down", "space")
    assert choice.having([ProfileItem(source="demo-q8", error=BROKEN.error)]).chosen is None


def test_profiles_are_read_by_name_and_by_path() -> None:
    items = read_items(["demo-q8", "./missing.toml"])
    assert [item.source for item in items[:2]] == ["./missing.toml", "demo-damaged"]
    assert {item.source for item in items[1:]} == set(BUILT_IN)
    assert BROKEN.error is not None
    assert BROKEN.error.code == "profile-unknown"
    assert source_of(" ./p.toml ") == "./p.toml"
    assert source_of("~/p.toml").startswith("/")


@pytest.mark.parametrize(
    ("name", "size", "form"),
    [
        ("demo-q8", "-", "Q8_0"), ("demo-f16", "-", "F16"), ("llama-2-13b-bf16", "13B", "BF16"),
        ("llama-2-70b-gptq-int4-tp2", "70B", "GPTQ"), ("llama-2-7b-q4_k_m-partial", "7B", "Q4_K_M"),
        ("llama-3.2-3b-q4_k_m-edge", "3B", "Q4_K_M"), ("llama-2-7b-w4a16", "7B", "W4A16"),
        ("mistral-7b-awq-int4-g64-long", "7B", "AWQ"), ("llama-2-7b-nf4-dev", "7B", "NF4"),
    ],
)  # fmt: skip
def test_what_a_profile_says_of_its_model(name: str, size: str, form: str) -> None:
    item = ProfileItem(source=name, profile=BUILT_IN[name])
    assert (item.size, item.format) == (size, form)
