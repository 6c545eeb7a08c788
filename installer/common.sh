# shellcheck shell=sh
# What the installer's scripts and tests/run share: words to the user, a long command with its progress, a Python.
# Sourced, never run. The caller sets HERE to this folder; quietly() also needs PYTHON and LOG.
# shellcheck disable=SC2034  # install.sh reads these variables

say() {
    printf '%s\n' "$*"
}

fail() {
    printf 'appliance: %s\n' "$*" >&2
    exit 1
}

# Print the command that installs what is missing: compiler, python or venv (with the version that lacks it).
mend() {
    sudo=''
    [ "$(id -u)" = 0 ] || sudo='sudo '
    if command -v apt-get >/dev/null; then
        python='python3 python3-venv'
        if command -v python3 >/dev/null; then python='python3.11 python3.11-venv'; fi
        say "${sudo}apt-get update && ${sudo}apt-get install -y $(pick "$1" build-essential "$python" "python${2:-3}-venv")"
    elif command -v dnf >/dev/null; then
        say "${sudo}dnf install -y $(pick "$1" gcc-c++ python3.12)"
    elif command -v zypper >/dev/null; then
        say "${sudo}zypper install -y $(pick "$1" gcc-c++ python311)"
    elif command -v pacman >/dev/null; then
        say "${sudo}pacman -S --noconfirm $(pick "$1" base-devel python)"
    elif command -v apk >/dev/null; then
        say "${sudo}apk add $(pick "$1" 'build-base linux-headers' python3)"
    elif command -v brew >/dev/null; then
        pick "$1" 'xcode-select --install' 'brew install python@3.12'
    else
        say "install $(pick "$1" 'gcc and g++' 'Python 3.12 with its venv module') with this system's package manager"
    fi
}

# pick KIND COMPILER PYTHON [VENV]
pick() {
    case $1 in
        compiler) say "$2" ;;
        venv) say "${4:-$3}" ;;
        *) say "$3" ;;
    esac
}

# Print the real path of a candidate Python of at least 3.11 (a shim or a virtual environment leads to its base).
python_path() {
    "$1" -c 'import sys; sys.version_info >= (3, 11) or sys.exit(1); print(sys._base_executable or sys.executable)' \
        2>/dev/null
}

python_has_venv() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1
}

# Set PYTHON to the first usable Python (or to the one asked for), or fail with what mends it.
find_python() {
    incomplete=''
    PYTHON=''
    for candidate in ${1:+"$1"} $([ -n "${1-}" ] || echo python3 python3.14 python3.13 python3.12 python3.11); do
        path=$(python_path "$candidate") || continue
        if python_has_venv "$path"; then
            PYTHON=$path
            return
        fi
        incomplete=${incomplete:-$path}
    done
    if [ -n "$incomplete" ]; then
        version=$("$incomplete" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        fail "$incomplete lacks the venv and ensurepip modules; mend it with: $(mend venv "$version")"
    fi
    [ -z "${1-}" ] || fail "$1 is not a Python of at least 3.11; leave out --python, or name another one."
    fail "no Python of at least 3.11 was found; mend it with: $(mend python)"
}

# Print the checksum of a file (- is standard input).
sha256() {
    if command -v sha256sum >/dev/null; then
        sha256sum "$1"
    else
        shasum -a 256 "$1"
    fi | cut -d ' ' -f 1
}

elapsed() {
    seconds=$(($(date +%s) - $1))
    printf '%d:%02d' $((seconds / 60)) $((seconds % 60))
}

# Kill the process group of the command that quietly() is running.
stop_child() {
    [ -n "${CHILD-}" ] || return 0
    kill -TERM -- "-$CHILD" 2>/dev/null || kill -TERM "$CHILD" 2>/dev/null || :
    wait "$CHILD" 2>/dev/null || :
    CHILD=''
}

# Run a command with its output in $LOG and its time ticking on the terminal; show the end of the log when it fails.
# It gets a process group of its own, because an interrupt must also reach the compilers that it started.
quietly() {
    title=$1
    shift
    started=$(date +%s)
    printf '\n### %s\n' "$title" >>"$LOG"
    "$PYTHON" "$HERE/host.py" session "$@" >>"$LOG" 2>&1 </dev/null &
    CHILD=$!
    ticks=0
    while kill -0 "$CHILD" 2>/dev/null; do
        if [ -t 1 ]; then
            printf '\r      %s ... %s ' "$title" "$(elapsed "$started")"
        elif [ $((ticks % 30)) = 29 ]; then
            say "      still $title ... $(elapsed "$started")"
        fi
        ticks=$((ticks + 1))
        sleep 1
    done
    status=0
    wait "$CHILD" || status=$?
    CHILD=''
    [ ! -t 1 ] || printf '\r\033[K'
    [ "$status" != 0 ] || return 0
    KEEP_LOG=yes
    say "      $title failed after $(elapsed "$started"); the last lines of $LOG:" >&2
    tail -n 15 "$LOG" | sed 's/^/      | /' >&2
    return "$status"
}

# Make the temporary environment of pinned build tools.
make_tools() {
    quietly 'making the build environment' "$PYTHON" -m venv "$1" &&
        quietly 'fetching the build tools' "$1/bin/python" -m pip install --quiet --retries 2 --require-hashes \
            --only-binary :all: -r "$HERE/lock/build.txt"
}
