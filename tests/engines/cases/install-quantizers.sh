#!/usr/bin/env bash
# The quantizers, on top of vLLM's environment: prints the path of an interpreter that has them.
#   install-quantizers.sh VLLM_PYTHON     into quantdeck-engines/quantizers beside vLLM's folder
# The first time 2 minutes and 1 GB. It is a folder of its own, since they want other versions of what vLLM pins
# (compressed-tensors, setuptools); torch and transformers are vLLM's.
set -euo pipefail

vllm=$1
folder=$(dirname "$(dirname "$(dirname "$vllm")")")/quantizers
stamp=$folder/.complete-1

mkdir -p "$folder"
exec 9>"$folder/.lock"
flock 9
if [ -e "$stamp" ]; then
  echo "$folder/bin/python"
  exit 0
fi

exec 3>&1 1>&2
site='import sysconfig; print(sysconfig.get_paths()["purelib"])'
"$vllm" -m venv "$folder"
"$vllm" -c "$site" >"$("$folder/bin/python" -c "$site")/vllm.pth"
pip=("$folder/bin/python" -m pip --disable-pip-version-check --quiet install --no-deps)
"${pip[@]}" "setuptools==84.2.1" wheel
"${pip[@]}" \
  "compressed-tensors==0.19.0" "llmcompressor==0.14.0.1" "auto-round==0.15.1" "nvidia-modelopt==0.47.0" \
  "bitsandbytes==0.50.2" "optimum==2.3.0" "gguf==0.19.0" \
  accelerate datasets pyarrow pandas python-dateutil pytz tzdata six xxhash multiprocess dill nvidia-ml-py \
  omegaconf "antlr4-python3-runtime==4.9.3" pulp scipy threadpoolctl device-smi pypcre tokenicer logbar torchao defuser maturin
# A source distribution that wants a newer torch than vLLM has, and works with this one.
BUILD_CUDA_EXT=0 "${pip[@]}" --no-build-isolation "gptqmodel==7.7.0"
"$folder/bin/python" -c "import llmcompressor, auto_round, bitsandbytes, gptqmodel, modelopt.torch.quantization"
touch "$stamp"
echo "$folder/bin/python" >&3
