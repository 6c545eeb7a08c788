# shellcheck shell=sh
# What must hold before anything is written. Sourced by install.sh; every failure is one sentence with what mends it.
# shellcheck disable=SC2034  # install.sh reads these variables

# Megabytes that an installation takes at its peak: measured, with a margin.
NEEDED_MB_WITH_WHEEL=700
NEEDED_MB_TO_COMPILE=1800

check_machine() {
    find_python "$PYTHON_ASKED"
    RUNTIME_PYTHON=$PYTHON
    if [ "$IS_SYSTEM" = yes ]; then find_public_python; fi
    check_wheel
    if [ -z "$WHEEL$WHEEL_INDEX" ]; then
        check_compiler
        MACHINE=${APPLIANCE_INSTALL_MACHINE-}
        choose_gpu "$GPU"
        CMAKE_ARGS="${CMAKE_ARGS-}${GPU_FLAGS:+${CMAKE_ARGS:+ }$GPU_FLAGS}"
        export CMAKE_ARGS
    fi
    check_code_folder
    check_disk
    SETTINGS_PORT=$("$PYTHON" "$HERE/host.py" port "$STATE/appliance.toml") ||
        fail "$STATE/appliance.toml can't be read; mend it or move it away: mv '$STATE/appliance.toml' '$STATE/appliance.toml.old'"
    if [ "$START" = yes ]; then check_port; fi
}

# The system's daemon runs as a user of its own, who can't enter a private home folder.
find_public_python() {
    for candidate in "$PYTHON" /usr/bin/python3 /usr/local/bin/python3; do
        if path=$(python_path "$candidate") && "$path" "$HERE/host.py" open-to-all && "$path" -c 'import venv'; then
            RUNTIME_PYTHON=$path
            return
        fi
    done
    fail "$PYTHON lies in a folder that only its owner may enter, so the user 'appliance' can't run it; mend it with: $(mend python)"
}

check_wheel() {
    [ -n "$WHEEL" ] || return 0
    case $WHEEL in /*) ;; *) WHEEL=$PWD/$WHEEL ;; esac
    case ${WHEEL##*/} in
        llama_cpp_python-*.whl) ;;
        *) fail "$WHEEL is no llama-cpp-python wheel; leave out --wheel to compile one for this processor." ;;
    esac
    [ -f "$WHEEL" ] || fail "there is no $WHEEL; leave out --wheel to compile one for this processor."
    WHEEL_WORDS=$(sh "$HERE/llama_wheel.sh" explain "$WHEEL") || exit 1
}

check_compiler() {
    for program in "${CC:-cc}" "${CXX:-c++}"; do
        command -v "$program" >/dev/null ||
            fail "there is no C++ compiler here ($program); mend it with: $(mend compiler)"
    done
}

# Never write into a folder that holds something else: uninstall.sh could not tell what is whose.
check_code_folder() {
    if [ -d "$CODE" ] && [ ! -f "$CODE/INSTALLED" ] && [ ! -d "$CODE/.staging" ] &&
        [ -n "$(find "$CODE" -mindepth 1 -maxdepth 1 ! -name state)" ]; then
        fail "$CODE holds other files; choose an empty folder: --prefix '$CODE/appliance'"
    fi
    if [ -n "$LINK" ] && [ -e "$LINK" ] && [ "$(readlink "$LINK")" != "$CODE/bin/appliance" ]; then
        fail "$LINK is another program's; move it away: mv '$LINK' '$LINK.other'"
    fi
    existing=$(nearest_folder "$CODE")
    [ -w "$existing" ] || fail "you may not write to $existing; choose a folder of your own: --prefix \"\$HOME/appliance\""
    other=$(cat "$CODE/.staging/pid" 2>/dev/null || :)
    if [ -n "$other" ] && kill -0 "$other" 2>/dev/null; then
        fail "another installation into $CODE is running (process $other); wait for it, or end it with: kill $other"
    fi
}

nearest_folder() {
    folder=$1
    while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
    say "$folder"
}

check_disk() {
    needed=$NEEDED_MB_TO_COMPILE
    if [ -n "$WHEEL$WHEEL_INDEX" ]; then needed=$NEEDED_MB_WITH_WHEEL; fi
    folder=$(nearest_folder "$CODE")
    free_mb=$(df -Pk "$folder" | awk 'NR == 2 {print int($4 / 1024)}')
    [ "$free_mb" -ge "$needed" ] ||
        fail "$folder has $free_mb MB free and $needed MB are needed; free some, or install on another disk: --prefix DIR"
}

check_port() {
    if ! "$PYTHON" "$HERE/host.py" is-free "$SETTINGS_PORT" && ! is_running; then
        fail "port $SETTINGS_PORT is in use by another program (see: ss -ltnp 'sport = :$SETTINGS_PORT'); stop that, or take another port: APPLIANCE_SERVER__PORT=8485 sh installer/install.sh"
    fi
}
