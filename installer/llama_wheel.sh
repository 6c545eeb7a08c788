#!/bin/sh
# Make, find and explain the llama-cpp-python wheel. The installer and tests/run both get theirs here.
#
#   sh llama_wheel.sh build TOOLS FOLDER      compile it for this processor with the environment TOOLS (lock/build.txt)
#   sh llama_wheel.sh find FOLDER             print the wheel in FOLDER that was compiled for this processor, if any
#   sh llama_wheel.sh record                  print what such a wheel depends on
#   sh llama_wheel.sh explain WHEEL [CPUINFO] say what a ready wheel leaves unused here; 1 when it cannot run here
#
# A wheel made here has a record beside it (WHEEL.cpu): the lock, the machine and the instruction sets it may use.
set -eu

HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=installer/common.sh
. "$HERE/common.sh"

# Instruction sets that ggml has code for, and those of them that a generic build uses.
# Source: ggml/CMakeLists.txt and ggml/src/ggml-cpu/CMakeLists.txt of llama.cpp (GGML_NATIVE=OFF).
KNOWN='avx avx2 f16c fma bmi2 avx_vnni avx512f avx512vl avx512bw avx512dq avx512vbmi avx512_vnni avx512_bf16 amx_tile amx_int8 amx_bf16 fphp asimddp i8mm sve sve2 sme'
GENERIC='avx avx2 f16c fma bmi2'

# Print the known instruction sets of this processor on one line.
features() {
    present=" $(sed -n 's/^\(flags\|Features\)[[:space:]]*: //p' "$1" 2>/dev/null | head -n 1) "
    for name in $KNOWN; do
        case $present in *" $name "*) printf '%s ' "$name" ;; esac
    done
}

# Print the words of the first list that the second lacks.
without() {
    for word in $1; do
        case " $2 " in *" $word "*) ;; *) printf '%s ' "$word" ;; esac
    done
}

record() {
    printf 'lock %s\nmachine %s\noptions %s\nfeatures %s\n' \
        "$(sha256 "$HERE/lock/llama-cpp.txt")" "$(uname -sm)" "${CMAKE_ARGS-}" "$(features /proc/cpuinfo)"
}

find_wheel() {
    for wheel in "$1"/llama_cpp_python-*.whl; do
        if [ -f "$wheel.cpu" ] && [ "$(record)" = "$(cat "$wheel.cpu")" ]; then
            say "$wheel"
            return
        fi
    done
    return 1
}

# As many compilers as there are processors, but no more than there are GiB of memory free: each takes up to one.
num_compilers() {
    processors=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
    free_gib=$(awk '/^MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo 2>/dev/null || :)
    if [ "${free_gib:-$processors}" -lt "$processors" ]; then processors=$free_gib; fi
    [ "$processors" -ge 1 ] || processors=1
    say "$processors"
}

build() {
    tools=$1
    folder=$2
    made=$(mktemp -d "${TMPDIR:-/tmp}/llama-wheel.XXXXXX")
    trap 'rm -rf "$made"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    record >"$made/record"
    # No cache: it would hand out a wheel that other options were compiled into.
    PATH="$tools/bin:$PATH" CMAKE_ARGS="${CMAKE_ARGS-} -DGGML_NATIVE=ON" \
        CMAKE_BUILD_PARALLEL_LEVEL="${CMAKE_BUILD_PARALLEL_LEVEL:-$(num_compilers)}" TMPDIR="$made" \
        "$tools/bin/python" -m pip wheel --retries 2 --no-deps --no-build-isolation --require-hashes --no-cache-dir \
        --no-binary llama-cpp-python --wheel-dir "$made" -r "$HERE/lock/llama-cpp.txt"
    for wheel in "$made"/llama_cpp_python-*.whl; do
        mv "$wheel" "$folder/"
        mv "$made/record" "$folder/${wheel##*/}.cpu"
    done
}

# A fair sentence about a wheel: made for this processor, made for another one, or of unknown make.
explain() {
    here=$(features "$2")
    used=$GENERIC
    if [ -f "$1.cpu" ]; then
        used=$(sed -n 's/^features //p' "$1.cpu")
        missing=$(without "$used" "$here")
        if [ -n "$missing" ]; then
            fail "$1 was compiled for a processor with ${missing% }, which this one lacks; leave out --wheel to compile one."
        fi
    fi
    unused=$(without "$here" "$used")
    if [ -z "$unused" ] && [ -f "$1.cpu" ]; then
        say 'This wheel was compiled for this processor.'
    elif [ -z "$unused" ]; then
        say 'This wheel has no record of how it was compiled; a generic one uses all that this processor offers.'
    else
        say "A wheel compiled elsewhere is usually generic. It leaves unused what this processor has: $(say "$unused" |
            tr 'a-z_' 'A-Z-' | sed 's/ $//; s/ /, /g'). Without --wheel the installer compiles one that uses them (5 to 10 minutes)."
    fi
}

case ${1-} in
    build) build "$2" "$3" ;;
    find) find_wheel "$2" ;;
    explain) explain "$2" "${3:-/proc/cpuinfo}" ;;
    record) record ;;
    *) fail 'usage: llama_wheel.sh build TOOLS FOLDER | find FOLDER | record | explain WHEEL [CPUINFO]' ;;
esac
