#!/bin/sh
# Regenerate every lock in this folder from pyproject.toml and build.in. Needs `uv` (or UV=/path/to/uv).
# Run it after a change of the dependencies, or with --upgrade for newer versions, and commit the result.
#
#   runtime.txt    what the product imports, without llama-cpp-python but with what that imports
#   llama-cpp.txt  llama-cpp-python alone: the hash of its source, which the installer compiles
#   build.txt      the tools for that compile and for our own wheel
#   conversion.in   what converts models, in an environment made on demand; its lock is a part of the product
#   extra-*.txt    runtime.txt and what an extra of the same name needs: install.sh --with NAME
#   dev.txt        runtime.txt and the tools of tests/run
#   clients*.in    the client programs that tests/clients drives, in environments of their own; those of npm have
#                  tests/clients/node/package-lock.json, made by `npm install --package-lock-only` there
#
# The files name no index: pip asks whichever the machine is set up for, and the hashes decide.
set -eu

lock() {
    "${UV:-uv}" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url "$@"
}

main() {
    cd "$(dirname "$0")/../.."
    lock pyproject.toml --no-emit-package llama-cpp-python --output-file installer/lock/runtime.txt "$@"
    for extra in mcp audio; do
        lock pyproject.toml --extra "$extra" --no-emit-package llama-cpp-python \
            --constraints installer/lock/runtime.txt --output-file "installer/lock/extra-$extra.txt" "$@"
    done
    lock pyproject.toml --group dev --no-emit-package llama-cpp-python --constraints installer/lock/runtime.txt \
        --output-file installer/lock/dev.txt "$@"
    lock installer/lock/build.in --constraints installer/lock/dev.txt --output-file installer/lock/build.txt "$@"
    lock installer/lock/conversion.in --output-file appliance/backends/onnx/conversion_lock.txt "$@"
    for clients in clients clients-openai2; do
        lock "installer/lock/$clients.in" --output-file "installer/lock/$clients.txt" "$@"
    done
    sed -n 's/^ *"\(llama-cpp-python==[^"]*\)".*/\1/p' pyproject.toml >installer/lock/llama-cpp.in
    lock installer/lock/llama-cpp.in --no-deps --no-annotate --output-file installer/lock/llama-cpp.txt "$@"
    rm installer/lock/llama-cpp.in
}

main "$@"
