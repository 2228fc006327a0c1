from pathlib import Path

import pytest

from quantdeck_core.engines.argv import engine_argv
from quantdeck_core.engines.metrics import Rate, parse_llamacpp
from quantdeck_core.profile.schema import Profile, Serve


def test_the_command_line_gives_every_slot_its_context() -> None:
    profile = Profile(name="p", model="m.gguf", serve=Serve(max_model_len=1000, max_num_seqs=3, threads=2))
    argv = engine_argv(profile, "/models/m.gguf", 9001, "/py")
    assert argv[:3] == ["/py", "-m", "quantdeck_agent.engines.xllamacpp_main"]
    flags = dict(zip(argv[3::2], argv[4::2], strict=True))
    assert flags["--ctx-size"] == "3000"
    assert flags["--host"] == "127.0.0.1"
    assert (flags["--model"], flags["--port"], flags["--threads"]) == ("/models/m.gguf", "9001", "2")
    assert flags["--n-predict"] == "2048"  # never without a bound, though llama.cpp has none by default
    assert int(flags["--cache-ram"]) <= 512  # MiB; llama.cpp would take 8 GiB
    assert int(flags["--threads-http"]) >= 64


def test_metrics_are_read_and_what_is_missing_is_none() -> None:
    text = Path(__file__).with_name("llamacpp_metrics.txt").read_text()
    metrics = parse_llamacpp(text)
    assert (metrics.running, metrics.waiting) == (2, 1)
    assert metrics.generated_tokens == 1234.0
    assert parse_llamacpp("garbage\nx NaN\n").running is None


def test_a_rate_is_the_rise_of_a_total() -> None:
    rate = Rate(span_s=3.0)
    assert rate.add(0.0, 100.0) is None
    assert rate.add(1.0, 150.0) == pytest.approx(50.0)
    assert rate.add(2.0, 150.0) == pytest.approx(25.0)


def test_a_rate_starts_again_after_a_gap_or_a_restart() -> None:
    rate = Rate()
    rate.add(0.0, 100.0)
    rate.add(1.0, 200.0)
    assert rate.add(2.0, None) is None
    assert rate.add(3.0, 300.0) is None
    assert rate.add(4.0, 10.0) is None
    assert rate.add(5.0, 20.0) == pytest.approx(10.0)
