"""The config as people write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantdeck_core.errors import InputError
from quantdeck_core.protocol.gateway import ApiKey, Arm, ExperimentRoute, GatewayConfig, Limits, Replica, Shadow
from quantdeck_gateway import config_file
from quantdeck_gateway.cli import parse

COMPLETE = """
[[experiment]]
name = "int4_awq_rollout_v1"
served_name = "assistant"
weight = 12.5
unkeyed = "api_key"
pinned = { ana = "treatment" }
tester_header = true
cut_loops = true
keep_flagged = true
shadow = { of = "control", share = "0.57" }

[experiment.control]
urls = ["http://127.0.0.1:8001", "http://127.0.0.1:8002"]
limits = { max_in_flight = 256, spill = true }

[[experiment.treatment.replica]]
name = "rented"
url = "http://10.0.0.7:8000"
api_key = "k"
model = "their-name"

[[api_key]]
name = "app"
sha256 = "abababababababababababababababababababababababababababababababab"
priority = "high"
"""


def _decoded(tmp_path: Path, text: str) -> GatewayConfig:
    file = tmp_path / "gateway.toml"
    file.write_text(text)
    return config_file.load(file)


def test_a_complete_one(tmp_path: Path) -> None:
    urls = ("http://127.0.0.1:8001", "http://127.0.0.1:8002")
    control = tuple(Replica(name=f"control-{number}", url=url) for number, url in enumerate(urls))
    rented = Replica(name="rented", url="http://10.0.0.7:8000", api_key="k", model="their-name")
    assert _decoded(tmp_path, COMPLETE) == GatewayConfig(
        revision=1,
        experiments=(
            ExperimentRoute(
                name="int4_awq_rollout_v1",
                served_name="assistant",
                weight_bp=1250,
                control=Arm(replicas=control, generation=1, limits=Limits(max_in_flight=256, spill=True)),
                treatment=Arm(replicas=(rented,), generation=1),
                unkeyed="api_key",
                cut_loops=True,
                keep_flagged=True,
                pinned={"ana": "treatment"},
                tester_header=True,
                shadow=Shadow(of="control", share_bp=57),
            ),
        ),
        api_keys=(ApiKey(name="app", sha256="ab" * 32, priority="high"),),
    )


@pytest.mark.parametrize(("weight", "weight_bp"), [("0.57", 57), ("29.12", 2912), ("100", 10_000), ('"0.01"', 1)])
def test_weights_in_percent_are_exact(tmp_path: Path, weight: str, weight_bp: int) -> None:
    config = _decoded(tmp_path, f'[[experiment]]\nname = "e"\nweight = {weight}\n[experiment.control]\nurls = []')
    assert config.experiments[0].weight_bp == weight_bp


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "\udcff",
        "unknown = 1",
        '[[experiment]]\nname = "e"',
        '[[experiment]]\nname = "e"\nweight = 101\n[experiment.control]',
        '[[experiment]]\nname = "e"\nweight = nan\n[experiment.control]',
        '[[experiment]]\nname = "e"\nweight = 1\nlatched = true\n[experiment.control]',
        '[[experiment]]\nname = "e"\n[experiment.control]\nurls = ["nowhere"]',
    ],
)
def test_what_cannot_be_used(tmp_path: Path, text: str) -> None:
    file = tmp_path / "gateway.toml"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InputError):
        config_file.load(file)


def test_a_toml_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no"):
        config_file.load(tmp_path / "gateway.toml")


def test_a_toml_needs_no_control_socket_and_a_lease_does(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(COMPLETE)
    assert parse(["--config", str(file), "--port", "1"]).config.revision == 1
    for lease in (["--lease-seconds", "60"], ["--lease-seconds", "0", "--control-socket", "s"]):
        with pytest.raises(InputError, match="lease"):
            parse(["--config", str(file), "--port", "1", *lease])
