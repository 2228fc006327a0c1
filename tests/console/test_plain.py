"""The panes without a terminal: the same words, nothing but text."""

from quantdeck_console.plain.experiment import experiment_lines
from quantdeck_console.plain.fleet import fleet_lines, fleet_of, status_lines
from quantdeck_core.drift.learned import LearnedLimit
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.state import apply
from support.fleets import NOW, arm, experiment, gpu_host, rack, rolled_back, van


def test_the_fleet() -> None:
    assert fleet_lines(fleet_of([van(), rack(rolled_back())], NOW), NOW) == [
        "x rack-1  int4_v1: 47.1% of answers loop, limit 15%, 117.6x the control",
        "Rolled back 02:17:31 on 1 of 1 gateway in 31 ms",
        "",
        "HOST        STATUS  GPU / CPU MEMORY         TOK/S RUN/WAIT TTFT95 QUALITY  AGE",
        "rack-1      FAIL x  no GPU, RAM ###....  41%   663      4/0   48ms FAIL x",
        "van-7       OK      no GPU, RAM ###....  38%    96      0/0      - -",
    ]


def test_a_fleet_with_a_lost_host() -> None:
    state = apply(fleet_of([van()], NOW), "van-7", LinkChange(state="lost", detail="reset"), NOW + 48)
    lines = fleet_lines(state, NOW + 48)
    assert lines[0] == "? van-7  link lost, silent for 48s: reset"
    assert lines[-1] == "van-7       STALE ?             .......    -     -        -      - -        48s"


def test_one_host() -> None:
    text = "\n".join(status_lines(gpu_host(), NOW))
    assert "gpu 0 NVIDIA H100 80GB HBM3" in text
    assert "Convert the checkpoint again, or deploy the former profile." in text


def test_what_was_learned_of_the_service_is_shown() -> None:
    def limit(signal: str, breach: float) -> LearnedLimit:
        return LearnedLimit(
            signal=signal, mean=0.02, sd=0.01, apart=0.0, watch=breach, breach=breach, blocks=31, unit="hours"
        )

    learned = (limit("repetition", 0.051), limit("length", 1.25))
    text = "\n".join(experiment_lines("rack-1", experiment(learned=learned)))
    assert "usual  repetition to 5.1 %, length 0.80 to 1.25 times (31 hours)" in text
    assert "usual" not in "\n".join(experiment_lines("rack-1", experiment()))


def test_both_arms() -> None:
    lines = experiment_lines("rack-1", experiment(treatment=arm("treatment", 12)))
    assert lines[0] == "int4_v1 on rack-1"
    assert all(len(line) <= 80 and line.isascii() for line in lines)
    text = "\n".join(lines)
    for words in (
        "A/B TEST 10 %", "users 90/10", "can roll back: yes", "needs 38 more outputs of the treatment",
        "CONTROL tiny-f16", "TREATMENT tiny-q4_0", "90 %  181 seen", "10 %  19 seen", "0.4 % [0.1 1.4]", "TIMELINE",
    ):  # fmt: skip
        assert words in text, words


def test_a_rollback_in_plain_text() -> None:
    text = "\n".join(experiment_lines("rack-1", rolled_back()))
    assert "FAIL x  ROLLED BACK 0 %" in text
    assert "50/50 -> 100/0 31 ms after the answer that broke the limit, 70 answers judged" in text
    assert "over limit x" in text
