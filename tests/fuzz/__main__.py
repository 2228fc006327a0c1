"""`make fuzz`: guided by coverage where atheris is installed, else by what can be seen of each input from outside.

Ends with 0 when nothing was found in the time given, with 1 when something was: the input is saved then, and
`make fuzz ARGS="--replay FILE"` runs it again.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from fuzz.mutate import mutate
from fuzz.seeds import seeds
from fuzz.target import SECONDS_LIMIT, run


def main() -> int:
    """Fuzz until the time is up or something is found."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long, of the wall's clock (default 60)")
    parser.add_argument("--save", type=Path, default=Path("fuzz-findings"), help="where findings go")
    parser.add_argument("--seed", type=int, default=None, help="of the random numbers, to repeat a run without atheris")
    parser.add_argument("--plain", action="store_true", help="without atheris, also where it is installed")
    parser.add_argument("--replay", type=Path, help="run one saved input")
    options = parser.parse_args()
    if options.replay:
        print(run(options.replay.read_bytes()))
        return 0
    if not options.plain and importlib.util.find_spec("atheris"):
        return _guided(options.seconds, options.save)
    return _plain(options.seconds, options.save, options.seed)


def _guided(seconds: float, save: Path) -> int:
    """libFuzzer ends its process itself, so it gets one of its own."""
    save.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        corpus, counts, log = Path(folder) / "corpus", Path(folder) / "counts.json", Path(folder) / "log"
        corpus.mkdir()
        for name, data in seeds().items():
            (corpus / name).write_bytes(data)
        with log.open("wb") as output:
            done = subprocess.run(
            [
                sys.executable, "-m", "fuzz.guided", counts, corpus, f"-artifact_prefix={save}/",
                f"-max_total_time={int(seconds)}", f"-timeout={int(SECONDS_LIMIT)}", "-rss_limit_mb=2048",
                "-max_len=200000", "-print_final_stats=0", "-verbosity=0",
            ],
            timeout=seconds + 120,
            check=False,
            stdout=output,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        if done.returncode:
            print("\n".join(log.read_text("utf-8", "replace").splitlines()[-60:]))
        body = json.loads(counts.read_text()) if counts.exists() else {}
    print(f"atheris: {body.get('runs', 0)} inputs, at most {body.get('bytes', 0)} bytes read and {body.get('s', 0)} s")
    return 1 if done.returncode else 0


def _plain(seconds: float, save: Path, seed: int | None) -> int:
    seed = random.randrange(2**32) if seed is None else seed
    chance = random.Random(seed)
    pool = list(seeds().values())
    seen: set[str] = set()
    runs, most, longest = 0, 0, 0.0
    signal.signal(signal.SIGALRM, _late)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = pool[runs] if runs < len(pool) and not seen else mutate(chance.choice(pool), pool, chance)
        signal.setitimer(signal.ITIMER_REAL, 2 * SECONDS_LIMIT)
        try:
            outcome = run(data)
        except BaseException:
            signal.setitimer(signal.ITIMER_REAL, 0)
            traceback.print_exc()
            save.mkdir(parents=True, exist_ok=True)
            path = save / f"finding-{seed}-{runs}"
            path.write_bytes(data)
            print(f"after {runs} inputs (--seed {seed}); run it again with: make fuzz ARGS='--replay {path}'")
            return 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        runs, most, longest = runs + 1, max(most, outcome.bytes_read), max(longest, outcome.seconds)
        if outcome.signature not in seen:
            seen.add(outcome.signature)
            pool.append(data)
    print(
        f"{runs} inputs in {seconds:.0f} s, {len(seen)} kinds of outcome (--seed {seed}); at most {most} bytes read "
        f"and {longest:.2f} s for one input"
    )
    return 0


def _late(*_: object) -> None:
    raise TimeoutError("this input hangs")


if __name__ == "__main__":
    sys.exit(main())
