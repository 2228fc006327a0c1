"""`quantdeck judge`: recorded answers, judged by the code of production."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

LOOP = "the same four words " * 12
FINE = "A finished answer says in a few plain words what was asked, and nothing that was not, and then it ends here."


def judge(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "quantdeck", "judge", *arguments],
        env=os.environ,
        capture_output=True,
        input=stdin,
        timeout=60,
    )


def recorded(*shares: tuple[int, float], **more: Any) -> bytes:
    """Lines of both arms; of the treatment so many with a share of loops, one stretch after the other."""
    chance, lines = random.Random(4), []
    for count, share in shares:
        for _ in range(count):
            for variant in ("control", "treatment"):
                loops = chance.random() < (share if variant == "treatment" else 0.02)
                line = {
                    "variant": variant,
                    "text": LOOP if loops else FINE,
                    "prompt_tokens": 20,
                    "t": float(len(lines)),
                }
                lines.append(json.dumps({**line, "user": f"u{chance.randrange(10_000)}", **more}))
    return "\n".join(lines).encode() + b"\n"


def test_a_file_of_healthy_answers(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_bytes(recorded((300, 0.02), id="fields of others are left alone"))
    done = judge(str(file), "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["verdict"], said["signal"]) == ("healthy", "")
    assert (said["treatment_outputs"], said["control_outputs"]) == (300, 300)


def test_the_counts_are_those_at_the_first_breach() -> None:
    done = judge("-", "--json", stdin=recorded((1_000, 0.02), (1_000, 0.3)))
    said = json.loads(done.stdout)
    assert (done.returncode, said["verdict"], said["signal"]) == (3, "breach", "repetition")
    assert 1_000 < said["treatment_outputs"] < 1_200
    assert said["control_outputs"] == said["treatment_outputs"]
    text = judge("-", stdin=recorded((1_000, 0.02), (1_000, 0.3)))
    assert text.stdout.startswith(b"breach: repetition ")
    assert b"until then " in text.stdout


def test_too_few_answers_and_limits_of_a_preset() -> None:
    said = json.loads(judge("-", "--json", stdin=recorded((20, 0.02))).stdout)
    assert (said["verdict"], said["needed"]) == ("inconclusive", 30)
    assert judge("-", "--preset", "customer-facing", stdin=recorded((100, 0.02))).returncode == 0
    assert judge("-", "--preset", "lax").returncode == 2


def test_what_is_no_answer_is_named_by_its_line(tmp_path: Path) -> None:
    for bad in (
        b"{",
        b'{"variant": "both"}',
        b"\xff\xfe",
        b'{"variant":"control","text":"a","prompt_tokens":-1,"t":0}',
    ):
        done = judge("-", stdin=recorded((1, 0.0)) + b"\n" + bad + b"\n")
        assert done.returncode == 2, bad
        assert b"Line 4 of standard input" in done.stderr
        assert b"next: " in done.stderr
    assert judge(str(tmp_path / "none.jsonl")).returncode == 2
    assert judge(str(tmp_path)).returncode == 2
    assert judge("-").returncode == 2


def test_a_file_by_arms_is_judged_in_the_order_of_time(tmp_path: Path) -> None:
    lines = recorded((1_000, 0.02), (1_000, 0.3)).splitlines(keepends=True)
    told = []
    for name, order in (("time", lines), ("arm", sorted(lines, key=lambda line: b'"treatment"' in line))):
        file = tmp_path / f"by-{name}.jsonl"
        file.write_bytes(b"".join(order))
        told.append(json.loads(judge(str(file), "--json").stdout))
    assert told[0] == told[1]
    assert told[0]["verdict"] == "breach"
