"""The config: what is refused, and how it is kept."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest

from quantdeck_core.errors import InputError
from quantdeck_core.protocol.gateway import Arm, ExperimentRoute, GatewayConfig, Replica
from quantdeck_gateway import config_file
from quantdeck_gateway.addresses import split_url
from quantdeck_gateway.cli import parse
from quantdeck_gateway.config_file import NotSavedError
from quantdeck_gateway.table import RoutingTable


def _config(*urls: str, revision: int = 1, weight_bp: int = 10, name: str = "exp") -> GatewayConfig:
    arm = Arm(replicas=tuple(Replica(name=f"r{number}", url=url) for number, url in enumerate(urls)))
    route = ExperimentRoute(name=name, served_name=name, weight_bp=weight_bp, control=arm, treatment=Arm())
    return GatewayConfig(revision=revision, experiments=(route,))


def test_saved_and_loaded(tmp_path: Path) -> None:
    path = tmp_path / "g.json"
    config_file.save(path, _config("http://127.0.0.1:1"))
    assert config_file.load(path) == _config("http://127.0.0.1:1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["g.json"]


def test_no_file_yet(tmp_path: Path) -> None:
    assert config_file.load(tmp_path / "none") == GatewayConfig()


def test_not_saved(tmp_path: Path) -> None:
    with pytest.raises(NotSavedError, match="old config still holds"):
        config_file.save(tmp_path / "missing" / "g.json", GatewayConfig())


@pytest.mark.parametrize(
    "url",
    [
        *(
            "ftp://h:1",
            "127.0.0.1:1",
            "http://",
            "https:///v1",
            "http://h:x",
            "http://h:0",
            "http://[::1",
            "http://ü:1",
        ),
        *("http://a@h:1", "https://@h:1", "http://h:1/?q", "http://h:1/#f", "http://h:1\r\nx: y", "http://a..b:1"),
    ],
)
def test_bad_addresses(url: str) -> None:
    with pytest.raises(InputError):
        config_file.check(_config(url))


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:9001", ("127.0.0.1", 9001, "", "127.0.0.1:9001", False)),
        ("http://engine/", ("engine", 80, "", "engine", False)),
        ("https://api.example/openai/", ("api.example", 443, "/openai", "api.example", True)),
        ("https://API.example:8443", ("api.example", 8443, "", "API.example:8443", True)),
        ("http://[::1]:9001/base", ("::1", 9001, "/base", "[::1]:9001", False)),
    ],
)
def test_addresses(url: str, address: tuple[str, int, str, str, bool]) -> None:
    assert split_url(url) == address


@pytest.mark.parametrize("data", [b"", b"[]", b'{"revision":"x"}', b'{"unknown":1}', b"\xff", b"[" * 100_000])
def test_no_config(data: bytes) -> None:
    with pytest.raises(InputError):
        config_file.decode(data)


@pytest.mark.parametrize("weight", [-1, 10_001])
def test_weights_out_of_range(weight: int) -> None:
    with pytest.raises(InputError):
        config_file.decode(msgspec.json.encode(_config(weight_bp=weight)))


def test_twins() -> None:
    one = _config().experiments
    with pytest.raises(InputError, match="twice"):
        config_file.check(GatewayConfig(experiments=one + one))
    replica = Replica(name="a", url="http://h:1")
    arm = Arm(replicas=(replica, replica))
    with pytest.raises(InputError, match="twice"):
        config_file.check(GatewayConfig(experiments=(msgspec.structs.replace(one[0], treatment=arm),)))


def test_key_that_no_header_may_have() -> None:
    arm = Arm(replicas=(Replica(name="a", url="http://h:1", api_key="x\r\ny: z"),))
    route = msgspec.structs.replace(_config().experiments[0], control=arm)
    with pytest.raises(InputError, match="API key"):
        config_file.check(GatewayConfig(experiments=(route,)))


def test_replicas_that_stay_keep_their_state() -> None:
    table = RoutingTable()
    table.apply(_config("http://h:1", "http://h:2"))
    arm = table.live[0].control
    stays, goes = arm.replicas
    arm.begin(stays)
    arm.begin(goes)
    table.apply(_config("http://h:1", revision=2))
    assert arm.replicas == [stays]
    assert [(one.name, one.in_flight, one.removed) for one in arm.counters().replicas] == [
        ("r0", 1, False),
        ("r1", 1, True),
    ]
    arm.end(goes)
    assert [one.name for one in arm.counters().replicas] == ["r0"]


def test_an_experiment_that_goes_is_listed_while_it_answers() -> None:
    table = RoutingTable()
    table.apply(_config("http://h:1"))
    arm = table.live[0].control
    replica = arm.replicas[0]
    arm.begin(replica)
    table.apply(GatewayConfig(revision=2))
    assert [route.name for route in table.status()] == ["exp"]
    arm.end(replica)
    assert table.status() == ()


def test_a_replica_that_comes_back_is_not_removed() -> None:
    table = RoutingTable()
    table.apply(_config("http://h:1"))
    arm = table.live[0].control
    arm.begin(arm.replicas[0])
    table.apply(_config(revision=2))
    table.apply(_config("http://h:1", revision=3))
    assert [(one.name, one.in_flight, one.removed) for one in arm.counters().replicas] == [("r0", 1, False)]


ALONE = ["--control", "http://h:1", "--treatment", "http://h:2", "http://h:3", "--experiment", "e"]


def test_alone() -> None:
    settings = parse(["--port", "8000", "--weight", "12.5", *ALONE])
    (route,) = settings.config.experiments
    assert (settings.host, settings.port, settings.config.revision) == ("127.0.0.1", 8000, 1)
    assert (route.name, route.served_name, route.weight_bp) == ("e", "e", 1250)
    assert [replica.url for replica in route.treatment.replicas] == ["http://h:2", "http://h:3"]


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["--port", "1"],
        ALONE,
        ["--port", "1", "--listen", "127.0.0.1:1", *ALONE],
        ["--port", "70000", *ALONE],
        ["--listen", "0.0.0.0:1", *ALONE],
        ["--listen", "example.org:1", *ALONE],
        ["--port", "1", "--weight", "101", *ALONE],
        ["--port", "1", "--weight", "5", "--control", "http://h:1", "--experiment", "e"],
        ["--port", "1", "--config", "f", "--control-socket", "s", *ALONE],
        ["--port", "1", "--config", "f"],
    ],
)
def test_arguments_that_do_not_fit(argv: list[str]) -> None:
    with pytest.raises(InputError):
        parse(argv)
