#!/usr/bin/env bash
# A real llama.cpp for `make engines`: llama-server, llama-quantize, the converter's sources, and llama-cpp-python, all
# from the one source distribution that carries them. Prints lines that a shell can evaluate.
#   install-llamacpp.sh [FOLDER]     default: ${XDG_CACHE_HOME:-~/.cache}/quantdeck-engines/llamacpp
# The first time 10 minutes on 2 cores, a C++ compiler and 1 GB; after that it finds its stamp.
set -euo pipefail

release=0.3.36
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/quantdeck-engines/llamacpp}
stamp=$folder/.complete-$release
source=$folder/llama_cpp_python-$release

mkdir -p "$folder"
exec 9>"$folder/.lock"
flock 9 # two runs at a time must not build into one folder
if [ ! -e "$stamp" ]; then
  (
    exec 1>&2
    python3 -m venv "$folder/venv"
    export PATH="$folder/venv/bin:$PATH"
    pip=(python -m pip --disable-pip-version-check --quiet)
    "${pip[@]}" install scikit-build-core "cmake<5" ninja numpy
    # Without build isolation: the metadata of a source distribution comes from its build system.
    "${pip[@]}" download --no-deps --no-binary llama-cpp-python --no-build-isolation --dest "$folder" \
      "llama-cpp-python==$release"
    tar -xf "$source.tar.gz" -C "$folder"
    cmake -G Ninja -S "$source/vendor/llama.cpp" -B "$folder/build" -DCMAKE_BUILD_TYPE=Release -DLLAMA_CURL=OFF \
      -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_UI=OFF >"$folder/build.log"
    ninja -C "$folder/build" llama-server llama-quantize >>"$folder/build.log"
    "${pip[@]}" install --no-build-isolation "$source[server]"
    "$folder/build/bin/llama-server" --version
    touch "$stamp"
  )
fi
echo "QUANTDECK_LLAMA_SERVER=$folder/build/bin/llama-server"
echo "QUANTDECK_LLAMA_QUANTIZE=$folder/build/bin/llama-quantize"
echo "QUANTDECK_LLAMACPP_SRC=$source/vendor/llama.cpp"
echo "QUANTDECK_LLAMA_CPP_PYTHON=$folder/venv/bin/python"
