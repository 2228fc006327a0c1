"""One registry: no key twice on a screen, and a method behind every action."""

from collections import Counter

import pytest

from quantdeck_console.actions.registry import ACTIONS, action_for_key, action_of, actions_of, groups
from quantdeck_console.screens.alarms import AlarmsScreen
from quantdeck_console.screens.base import DeckScreen
from quantdeck_console.screens.bench import BenchScreen
from quantdeck_console.screens.deploy import DeployScreen
from quantdeck_console.screens.experiment import ExperimentScreen
from quantdeck_console.screens.export import ExportDialog
from quantdeck_console.screens.fleet import FleetScreen
from quantdeck_console.screens.form import FormDialog
from quantdeck_console.screens.help import HelpScreen
from quantdeck_console.screens.host import HostScreen
from quantdeck_console.screens.incident import IncidentScreen
from quantdeck_console.screens.logs import LogsScreen
from quantdeck_console.screens.palette import PaletteScreen
from quantdeck_console.screens.reader import Reader
from quantdeck_console.screens.replay import ReplayDialog
from quantdeck_console.screens.rollback import RollbackDialog
from quantdeck_console.screens.weight import WeightDialog

SCREENS: list[type[DeckScreen]] = [
    FleetScreen, HostScreen, DeployScreen, ExperimentScreen, IncidentScreen, BenchScreen, WeightDialog, FormDialog,
    RollbackDialog, HelpScreen, PaletteScreen, LogsScreen, ReplayDialog, ExportDialog, Reader, AlarmsScreen,
]  # fmt: skip


@pytest.mark.parametrize("screen", SCREENS)
def test_every_key_means_one_thing_and_every_action_has_its_method(screen: type[DeckScreen]) -> None:
    keys = Counter(key for action in actions_of(screen.NAME) if not action.playing for key in action.keys)
    assert [key for key, count in keys.items() if count > 1] == []
    for action in actions_of(screen.NAME):
        if action.id != "confirm":
            assert hasattr(screen, f"action_{action.id}"), action


def test_every_action_belongs_to_a_screen() -> None:
    assert {action.where for action in ACTIONS} <= {screen.NAME for screen in SCREENS} | {"panes", "app"}


def test_what_changes_traffic_is_marked() -> None:
    dangerous = {(action.where, action.id) for action in ACTIONS if action.dangerous}
    assert dangerous == {
        ("panes", "weight"), ("panes", "roll_back"), ("panes", "freeze"), ("panes", "unfreeze"),
        ("experiment", "clear"), ("experiment", "pause_plan"), ("experiment", "promote_plan"),
        ("experiment", "abort_plan"), ("experiment", "finish"), ("experiment", "drill"), ("weight", "apply_weight"),
        ("rollback", "confirm"), ("form", "submit"), ("form", "confirm"), ("bench", "measure"),
        ("bench", "measure_control"), ("host", "stop_engine"), ("host", "restart_engine"), ("host", "swap_engine"),
        ("deploy", "start"), ("deploy", "cancel_operation"),
        ("incident", "replay"), ("incident", "export_words"), ("replay", "confirm"), ("alarms", "take"),
        ("alarms", "snooze"), ("alarms", "hand_over"), ("alarms", "take_all"),
    }  # fmt: skip
    assert all(action.role == "operator" for action in ACTIONS if action.dangerous)


def test_look_ups() -> None:
    rollback = action_of("fleet", "roll_back")
    assert rollback is not None
    assert action_for_key("fleet", "R") == rollback
    assert action_for_key("fleet", "x") is None
    assert action_of("weight", "roll_back") is None
    assert next(groups("experiment"))[0] == "Experiment"
