"""Build the cases of one maker: `python -m make MAKER FOLDER NAME...` with this folder's parent in PYTHONPATH.

It runs in an environment that has torch and the quantizers. One JSON line a case in `FOLDER/MAKER.jsonl`: its name, the
library and version that wrote it, or the error. (Standard output belongs to the libraries' progress bars.)
"""

from __future__ import annotations

import importlib
import json
import sys
import tomllib
import traceback
from importlib.metadata import version
from pathlib import Path

from make import shapes


def main(maker: str, root: Path, names: list[str]) -> None:
    """Build each case into `root/NAME`; what exists is left alone."""
    cases = tomllib.loads((Path(__file__).parents[1] / "cases.toml").read_text("utf-8"))["case"]
    module = importlib.import_module(f"make.{maker}")
    for case in cases:
        if case["maker"] != maker or case["name"] not in names:
            continue
        folder = root / case["name"]
        try:
            library = module.make(shapes.base(case["shape"], root), folder, case.get("options", {}))
            said = {"name": case["name"], "made_by": library if " " in library else f"{library} {version(library)}"}
        except Exception as error:
            traceback.print_exc()
            said = {"name": case["name"], "error": f"{type(error).__name__}: {error}"}
        with (root / f"{maker}.jsonl").open("a") as lines:
            lines.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
