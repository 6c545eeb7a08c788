# shellcheck shell=sh
# Build the new version in its own folder and make it answer, before anything is switched over. Sourced by install.sh.
# shellcheck disable=SC2034  # install.sh reads these variables

install_dependencies() {
    VENV=$VERSION_FOLDER/venv
    quietly 'making the environment' "$RUNTIME_PYTHON" -m venv --without-pip "$VENV" || exit 1
    fetch_packages 'fetching the dependencies' --require-hashes --only-binary :all: -r "$HERE/lock/runtime.txt"
    for extra in $(printf %s "$WITH" | tr , ' '); do
        fetch_packages "fetching what $extra needs" --require-hashes --only-binary :all: -r "$HERE/lock/extra-$extra.txt"
    done
}

# The product's environment has no pip of its own; the build environment's installs into it.
fetch_packages() {
    what=$1
    shift
    quietly "$what" "$TOOLS/bin/python" -m pip --python "$VENV/bin/python" install --quiet --retries 2 "$@" || no_packages
}

no_packages() {
    if grep -qE 'Connection|Temporary failure|timed out|No matching distribution|getaddrinfo' "$LOG"; then
        say 'appliance: the package index could not be reached or lacks a package; look at it with: python3 -m pip download --no-deps msgspec (a mirror: PIP_INDEX_URL=https://... sh installer/install.sh)' >&2
    fi
    exit 1
}

install_llama_cpp() {
    pinned=$(sed -n 's/^\(llama-cpp-python==[^ ]*\).*/\1/p' "$HERE/lock/llama-cpp.txt")
    if [ -n "$WHEEL_INDEX" ]; then
        fetch_packages 'fetching the ready wheel' --no-deps --only-binary :all: --index-url "$WHEEL_INDEX" "$pinned"
        say "      $(sh "$HERE/llama_wheel.sh" explain "$WHEEL_INDEX")"
        return
    fi
    if [ -z "$WHEEL" ]; then
        WHEEL=$(sh "$HERE/llama_wheel.sh" find "$CODE/wheels") || compile_llama_cpp
    fi
    fetch_packages 'installing llama.cpp' --no-deps --no-index "$WHEEL"
    "$VENV/bin/python" -c "from importlib.metadata import version as v; v('llama-cpp-python') == '${pinned#*==}' or exit(1)" ||
        { say "appliance: $WHEEL is not $pinned; leave out --wheel to compile it." >&2; exit 1; }
}

compile_llama_cpp() {
    rm -rf "$CODE/wheels"
    mkdir "$CODE/wheels"
    quietly 'compiling llama.cpp' sh "$HERE/llama_wheel.sh" build "$TOOLS" "$CODE/wheels" || no_packages
    WHEEL=$(sh "$HERE/llama_wheel.sh" find "$CODE/wheels")
}

install_ourselves() {
    quietly 'building the appliance' "$TOOLS/bin/python" -m pip wheel --quiet --no-deps --no-build-isolation \
        --no-index --wheel-dir "$STAGING/ours" "$SOURCE" || exit 1
    fetch_packages 'installing the appliance' --no-deps --no-index "$STAGING"/ours/llm_appliance-*.whl
}

# Ask the new version a question before anything is switched over: what can't answer is never installed.
prove() {
    TRIAL=$STAGING/trial
    mkdir "$TRIAL"
    trial_port=$("$PYTHON" "$HERE/host.py" free-port)
    APPLIANCE_HOME=$TRIAL PYTHONSAFEPATH=1 "$PYTHON" "$HERE/host.py" serve '' "$LOG" "$STAGING/trial.pid" \
        "$VENV/bin/appliance" serve --host 127.0.0.1 --port "$trial_port" --model guide
    quietly 'waiting for the model' "$PYTHON" "$HERE/host.py" ready "http://127.0.0.1:$trial_port/ready" 120 \
        "$(cat "$STAGING/trial.pid")" || exit 1
    ask "http://127.0.0.1:$trial_port" "$TRIAL"
    stop_trial
}

ask() {
    asked_s=$(clock)
    if ! APPLIANCE_URL=$1 APPLIANCE_HOME=$2 PYTHONSAFEPATH=1 "$VENV/bin/appliance" chat 'What are you?' \
        >"$STAGING/answer" 2>>"$LOG" </dev/null || [ ! -s "$STAGING/answer" ]; then
        KEEP_LOG=yes
        say 'appliance: the model gave no answer; the last lines of the log:' >&2
        tail -n 15 "$LOG" | sed 's/^/      | /' >&2
        exit 1
    fi
    say '      > What are you?'
    sed 's/^/      /' "$STAGING/answer"
    say "      (answered in $(clock | awk -v asked_s="$asked_s" '{printf "%.1f", $1 - asked_s}') s)"
}

clock() {
    "$PYTHON" -c 'import time; print("%.2f" % time.monotonic())'
}

stop_trial() {
    if [ -f "$STAGING/trial.pid" ]; then
        stop_process "$(cat "$STAGING/trial.pid")"
        rm -f "$STAGING/trial.pid"
    fi
}

# Ask a process to end, and end it when it doesn't within 40 s (the daemon drains for up to 30 s).
stop_process() {
    waited=0
    kill -TERM "$1" 2>/dev/null || return 0
    while kill -0 "$1" 2>/dev/null && [ "$waited" -lt 40 ]; do
        sleep 1
        waited=$((waited + 1))
    done
    kill -KILL "$1" 2>/dev/null || :
}
