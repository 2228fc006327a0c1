#!/usr/bin/env bash
# A real vLLM with Ray and without a GPU, for the tests of models over several hosts: prints the path of its `vllm` command.
#   install-ray.sh [FOLDER]     default: ${XDG_CACHE_HOME:-~/.cache}/quantdeck-engines/vllm-ray
# It stands on what install-vllm.sh installs and adds Ray in a folder of its own: half a minute and 250 MB more.
set -euo pipefail

ray=2.60.0
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/quantdeck-engines/vllm-ray}
stamp=$folder/.complete-$ray

mkdir -p "$folder"
exec 9>"$folder/.lock"
flock 9 # two runs at a time must not install into one folder
if [ -e "$stamp" ]; then
  echo "$folder/bin/vllm"
  exit 0
fi

exec 3>&1 1>&2 # only the path goes to standard output
vllm=$(bash "$here/install-vllm.sh")
base=$(dirname "$vllm")/python
"$base" -m venv "$folder"
"$folder/bin/python" -m pip --disable-pip-version-check --quiet install "ray==$ray"
packages=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
"$base" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])' >"$packages/vllm.pth"

# vLLM's platform for CPUs names no device to Ray ("current platform cpu does not support ray"). This one is the same with a
# name: Ray counts as GPUs what `--num-gpus` says, so all of vLLM's and Ray's own code runs, with tensors in RAM.
cp "$here/ray_cpu_platform.py" "$packages/quantdeck_ray_cpu.py"
plugin=$packages/quantdeck_ray_cpu-1.dist-info
mkdir -p "$plugin"
printf 'Metadata-Version: 2.1\nName: quantdeck-ray-cpu\nVersion: 1\n' >"$plugin/METADATA"
printf '[vllm.platform_plugins]\nray_cpu = quantdeck_ray_cpu:register\n' >"$plugin/entry_points.txt"

cat >"$folder/bin/vllm" <<PYTHON
#!$folder/bin/python
import sys

from vllm.entrypoints.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
PYTHON
chmod +x "$folder/bin/vllm"
"$folder/bin/vllm" --version
touch "$stamp"
echo "$folder/bin/vllm" >&3
