"""`quantdeck measure`: on figures that a person gives, and on a real engine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from quantdeck_console.commands.measure import main as measure
from quantdeck_console.commands.plan import main as plan
from quantdeck_console.measure_report import Errors, Figures, Recorded
from quantdeck_core.errors import InputError, NotFoundError
from quantdeck_core.memory.correction import Correction
from quantdeck_ledger.process_memory import resident_bytes
from support.llamas import LLAMA_2_7B, LLAMA_2_13B, llama_folder

SERVE = Path(__file__).parents[1] / "demo_model" / "serve_gguf.py"
VLLM_LOG = """\
(EngineCore pid=1) INFO 11-23 23:00:26 [core.py:133] Initializing a V1 LLM engine (v0.32.0) with config: model='x'
(EngineCore pid=1) INFO 11-23 23:00:33 [gpu_model_runner.py:1] Model loading took 12.6 GiB and 9 seconds
(EngineCore pid=1) INFO 11-23 23:00:33 [gpu_worker.py:1] Available KV cache memory: 50.00 GiB
(EngineCore pid=1) INFO 11-23 23:00:33 [kv_cache_utils.py:1] GPU KV cache size: 102,400 tokens
(EngineCore pid=1) INFO 11-23 23:00:33 [kv_cache_utils.py:1] Maximum concurrency for 4,096 tokens per request: 25.00x
"""


class Deck:
    """Both commands on one ledger; answers as JSON."""

    def __init__(self, ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.ledger, self._capsys = ["--ledger", str(ledger)], capsys

    def plan(self, *argv: str) -> Any:
        assert plan([*argv, *self.ledger, "--json"]) in (0, 3)
        return json.loads(self._capsys.readouterr().out)

    def measure(self, *argv: str) -> Any:
        assert measure([*argv, *self.ledger, "--json"]) == 0
        return json.loads(self._capsys.readouterr().out)

    def text(self, *argv: str) -> str:
        command = plan if argv[0] == "plan" else measure
        command([*argv[1:], *self.ledger])
        return self._capsys.readouterr().out


@pytest.fixture
def deck(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Deck:
    return Deck(tmp_path / "measurements.sqlite", capsys)


def test_both_figures_and_the_next_plan(deck: Deck, tmp_path: Path) -> None:
    folder = str(llama_folder(tmp_path / "7b", LLAMA_2_7B))
    log = tmp_path / "engine.log"
    log.write_text(VLLM_LOG)
    where = (folder, "--gpu", "h100-80gb", "--max-num-seqs", "8")
    before = deck.plan(*where)
    assert (before["correction"], before["planned_total_bytes_per_gpu"]) == (None, before["total_bytes_per_gpu"])
    said = deck.measure(*where, "--total", "70GiB", "--log", str(log))
    assert said["planned"]["total_bytes"] == before["total_bytes_per_gpu"]
    assert (said["engine_version"], said["sources"]) == ("0.32.0", ["given", "log"])
    # 70 GiB less a pool of 50 for 25 sequences, of which 8 need 16.
    assert said["measured"]["total_bytes"] == 36 * 2**30
    after = deck.plan(*where)
    assert after["total_bytes_per_gpu"] == pytest.approx(36 * 2**30, abs=2)
    assert after["planned_total_bytes_per_gpu"] == before["total_bytes_per_gpu"]
    assert after["correction"]["basis"] == "same"
    assert "measured-more" in {advice["code"] for advice in after["advice"]}
    other = deck.plan(folder, "--gpu", "h100-80gb", "--max-num-seqs", "4")
    assert other["correction"]["basis"] == "similar"
    assert deck.plan(*where, "--no-ledger") == before


def test_changes_to_another_checkpoint_are_planned_without_it(deck: Deck, tmp_path: Path) -> None:
    """What a 13B took says nothing about a 4-bit one, which is another model."""
    folder = str(llama_folder(tmp_path / "13b", LLAMA_2_13B))
    where = (folder, "--gpu", "l4", "--engine", "llama-server", "--max-num-seqs", "1")
    fewer = {change["code"]: change for change in deck.plan(*where)["changes"]}["weights-4-bit"]
    deck.measure(*where, "--total", "30GiB")
    assert {change["code"]: change for change in deck.plan(*where)["changes"]}["weights-4-bit"] == fewer


def test_people_see_both(deck: Deck, tmp_path: Path) -> None:
    where = (str(llama_folder(tmp_path / "7b", LLAMA_2_7B)), "--gpu", "cpu", "--engine", "llama-server")
    assert "nothing was measured yet" in deck.text("measure", "list")
    said = deck.text("measure", *where, "--total", "30GB", "--engine-version", "b11549")
    assert "llama-server b11549 on cpu" in said
    assert "27.9 GiB" in said
    planned = deck.text("plan", *where)
    assert "without measurements" in planned
    assert "1 load of this model on llama-server b11549 with the same flags here" in " ".join(planned.split())
    assert "llama-server b11549  cpu" in deck.text("measure", "list")


def test_forgetting(deck: Deck, tmp_path: Path) -> None:
    where = (str(llama_folder(tmp_path / "7b", LLAMA_2_7B)), "--gpu", "cpu", "--engine", "llama-server")
    first, second = (deck.measure(*where, "--total", size)["id"] for size in ("30GB", "31GB"))
    with pytest.raises(NotFoundError, match="no measurement 99"):
        deck.measure("forget", str(first), "99")
    assert deck.measure("forget", str(first)) == {"forgotten": 1}
    assert [row["id"] for row in deck.measure("list")["loads"]] == [second]
    assert deck.measure("forget", "--all") == {"forgotten": 1}
    assert deck.measure("forget", "--all") == {"forgotten": 0}
    for argv in ([], [str(first), "--all"]):
        with pytest.raises(InputError, match="Which ones"):
            deck.measure("forget", *argv)


def test_a_ledger_that_cannot_be_used_stops_no_plan(deck: Deck, tmp_path: Path) -> None:
    folder = str(llama_folder(tmp_path / "7b", LLAMA_2_7B))
    Path(deck.ledger[1]).write_bytes(b"no database" * 1000)
    found = deck.plan(folder, "--gpu", "h100-80gb")
    assert (found["fits"], found["advice"][0]["code"]) == (True, "ledger-unusable")
    assert "not a database" in found["advice"][0]["detail"]
    with pytest.raises(InputError, match="not a database"):
        deck.measure(folder, "--gpu", "cpu", "--engine", "llama-server", "--total", "1GiB")


def test_what_says_nothing(deck: Deck, tmp_path: Path) -> None:
    folder = str(llama_folder(tmp_path / "7b", LLAMA_2_7B))
    silent = tmp_path / "silent.log"
    silent.write_text("listening\n")
    for argv, words in (
        (("--total", "1GiB"), "Where does it run"),
        (("--gpu", "h100-80gb"), "Nothing was measured"),
        (("--host", "rack-9", "--pid", "1"), "a process of this machine"),
        (("--gpu", "h100-80gb", "--total", "70GiB"), "its total alone says nothing"),
        (("--gpu", "h100-80gb", "--log", str(silent)), "does not say what the engine allocated"),
        (("--gpu", "h100-80gb", "--log", str(tmp_path)), "There is no file"),
    ):
        with pytest.raises(InputError, match=words):
            deck.measure(folder, *argv)
    for argv in (("--total", "0"), ("--pid", "0"), ("--pid", "1", "--total", "1GiB"), ("--engine-version", "new")):
        with pytest.raises(SystemExit):
            deck.measure(folder, "--gpu", "cpu", *argv)
    assert not Path(deck.ledger[1]).exists()


def test_the_docs_name_every_key() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "memory.md").read_text("utf-8")
    fields = [name for kind in (Recorded, Figures, Errors, Correction) for name in kind.__struct_fields__]
    assert [name for name in fields if f"`{name}`" not in documented and f"`{name}[]`" not in documented] == []


@contextmanager
def engine(model: Path, log: Path) -> Iterator[tuple[int, int]]:
    """llama.cpp's server in a process of its own, which logs its buffers: PID and port."""
    argv = [sys.executable, str(SERVE), str(model), "1024", "4"]
    with (
        log.open("wb") as output,
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output) as one,
    ):
        assert one.stdin is not None
        assert one.stdout is not None
        try:
            yield one.pid, int(one.stdout.readline())
        finally:
            one.stdin.close()
            try:
                one.wait(timeout=10)
            except subprocess.TimeoutExpired:
                one.kill()
                raise


def ask(port: int, words: int) -> None:
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        body = {"prompt": "the keeper rings the bell " * (words // 5), "n_predict": 1}
        connection.request("POST", "/completion", json.dumps(body), {"Content-Type": "application/json"})
        assert connection.getresponse().status == 200


@pytest.mark.skipif(find_spec("xllamacpp") is None, reason="needs the engine xllamacpp")
def test_a_real_engine_is_planned_as_it_was_measured(deck: Deck, demo_models: Path, tmp_path: Path) -> None:
    """Plan, start, use, measure, plan again: within 5 % of what the process takes, read once more."""
    model, log = demo_models / "demo-q8_0.gguf", tmp_path / "engine.log"
    where = (str(model), "--gpu", "cpu", "--engine", "xllamacpp", "--max-model-len", "1024", "--max-num-seqs", "4")
    before = deck.plan(*where)
    with engine(model, log) as (pid, port):
        ask(port, 900)  # more than one batch: the buffers were used
        said = deck.measure(*where, "--pid", str(pid), "--log", str(log))
        ask(port, 900)
        resident = resident_bytes(pid)
    after = deck.plan(*where)
    assert said["sources"] == ["rss", "log"]
    assert said["measured"]["kv_bytes"] == pytest.approx(before["kv_bytes"], rel=0.01)
    assert said["measured"]["weights_bytes"] == pytest.approx(before["weights_bytes"], rel=0.01)
    assert said["measured"]["total_bytes"] != before["total_bytes"]
    assert after["total_bytes_per_gpu"] == pytest.approx(resident, rel=0.05)
    assert after["total_bytes_per_gpu"] == pytest.approx(said["measured"]["total_bytes"], rel=0.01)
    assert after["planned_total_bytes_per_gpu"] == before["total_bytes_per_gpu"]
