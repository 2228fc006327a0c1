"""How an alarm that begins and ends is seen from the console."""

from __future__ import annotations

from typing import Any

from quantdeck_agent.hub import Hub
from quantdeck_console.model.host_view import host_lines
from quantdeck_core.fleet.health import ALARM_COUNTS_S, health
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.state import HostView, fresh_alarms
from quantdeck_core.protocol.host import LostGpu
from support.fleets import NOW, gpus, sample

KEY = "hot:gpu:GPU-1"


def view(hub: Hub) -> HostView:
    return HostView(name="rack-1", link=LinkChange(state="connected"), status=hub.status(), linked_at=NOW, heard_at=NOW)


def hub_at(**changes: Any) -> Hub:
    return Hub("rack-1", "1", sample(**changes))


def test_a_host_is_coloured_until_the_alarm_has_ended() -> None:
    hub = hub_at()
    before = view(hub)
    hub.alarm(NOW - 2 * ALARM_COUNTS_S, "warn", "GPU 3 is at 85 C", hint="Check fans.", key=KEY)
    hot = view(hub)
    assert health(hot, NOW).level == "warn"  # however long ago it began
    assert [alarm.hint for alarm in fresh_alarms(before, hot)] == ["Check fans."]
    hub.alarm(NOW, "ok", "GPU 3 is at 70 C again", key=KEY)
    cool = view(hub)
    assert health(cool, NOW).level == "ok"
    assert fresh_alarms(hot, cool) == ()  # nobody is woken for an end
    hub.alarm(NOW, "warn", "GPU 3 is at 85 C", key=KEY)
    assert health(view(hub), NOW).level == "warn"


def test_an_end_ends_no_other_alarm() -> None:
    hub = hub_at()
    hub.alarm(NOW, "fail", "an engine ended")
    hub.alarm(NOW, "warn", "disk", key="disk:state")
    hub.alarm(NOW, "ok", "GPU 3 is at 70 C again", key=KEY)
    assert health(view(hub), NOW).level == "fail"


def test_a_lost_gpu_is_on_the_screen() -> None:
    lost = LostGpu(index=1, name="NVIDIA H100", note="GPU is lost")
    for others in (gpus(1), ()):
        text = screen(view(hub_at(gpus=others, lost_gpus=(lost,))))
        assert "gpu 1 NVIDIA H100  LOST x GPU is lost" in text


def screen(host: HostView) -> str:
    return "\n".join("".join(part.text for part in line) for line in host_lines(host, NOW, 100))
