#!/bin/sh
# Install the LLM appliance on this machine. Everything happens in functions that the last line calls,
# so that a download which stops halfway does nothing.
set -eu

usage() {
    cat <<'END'
Install the LLM appliance: one daemon with an OpenAI-compatible API, and the model it comes with.

  sh installer/install.sh [options]                      from a checkout
  sh install.sh --source ARCHIVE|URL [--sha256 HEX]      from an archive; also as `sh -s -- --source ...` behind a pipe

As root:      code in /opt/appliance, state in /var/lib/appliance, the command in /usr/local/bin, a user 'appliance',
              and a systemd service where systemd runs the machine.
As a user:    code in ~/.local/lib/appliance, state in ~/.local/share/appliance, the command in ~/.local/bin.
--prefix DIR  code in DIR, state in DIR/state, the command in DIR/bin; no user, no service.

  --no-start         install, but leave no daemon running
  --wheel FILE       use this llama-cpp-python wheel instead of compiling one for this processor (5 to 10 minutes)
  --with NAMES       install what is optional, too: mcp (appliance mcp), audio (MP4, M4A and WebM), or mcp,audio;
                     later runs keep it, and --with none takes it out again
  --gpu BUILD        compile llama.cpp for this: auto (what is found), cuda, vulkan, rocm, metal, or none
  --wheel-index URL  take a ready llama-cpp-python wheel from this package index
  --python PATH      the Python to use (3.11 or newer); otherwise the first good one is found
  --dry-run          check everything, say what would be done, write nothing
  --yes              ask nothing
  --help             this text

A second run with the same source changes nothing. CODE/uninstall.sh removes it all again.
END
}

# --- which source ---------------------------------------------------------------------------------------------------

source_of_script() {
    case $0 in */install.sh | install.sh) ;; *) return 1 ;; esac
    folder=$(cd "$(dirname "$0")/.." 2>/dev/null && pwd) || return 1
    [ -f "$folder/installer/common.sh" ] && [ -f "$folder/pyproject.toml" ] && printf '%s\n' "$folder"
}

# Unpack the archive and let the installer inside it do the work: script and source then always fit each other.
install_from_archive() {
    archive=$1
    checksum=$2
    shift 2
    UNPACKED=$(mktemp -d "${TMPDIR:-/tmp}/appliance-source.XXXXXX")
    trap 'rm -rf "$UNPACKED"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    case $archive in
        http://*) [ -n "$checksum" ] || refuse "$archive can be changed on its way; add --sha256 HEX, or use https." ;;
    esac
    case $archive in
        http://* | https://*)
            fetch "$archive" "$UNPACKED/archive" || refuse "$archive could not be fetched; look at it with: curl -fI '$archive'"
            archive=$UNPACKED/archive
            ;;
    esac
    [ -f "$archive" ] || refuse "there is no archive $archive; --source wants a .tar.gz file or its https address."
    [ -z "$checksum" ] || verify "$archive" "$checksum"
    mkdir "$UNPACKED/tree"
    tar -xf "$archive" -C "$UNPACKED/tree" 2>/dev/null ||
        refuse "$archive is no archive that tar can unpack; look at it with: tar -tf '$archive'"
    for script in "$UNPACKED"/tree/installer/install.sh "$UNPACKED"/tree/*/installer/install.sh; do
        [ -f "$script" ] || continue
        sh "$script" "$@" </dev/null
        return
    done
    refuse "$archive holds no installer/install.sh; choose an archive of the appliance's source."
}

refuse() {
    printf 'appliance: %s\n' "$*" >&2
    exit 1
}

fetch() {
    if command -v curl >/dev/null; then
        curl --fail --silent --show-error --location --output "$2" "$1"
    else
        wget -q -O "$2" "$1"
    fi
}

verify() {
    found=$({ sha256sum "$1" 2>/dev/null || shasum -a 256 "$1"; } | cut -d ' ' -f 1)
    [ "$found" = "$(printf %s "$2" | tr 'A-F' 'a-f')" ] ||
        refuse "the archive's SHA-256 is $found, not $2; fetch it again, and ask for the right checksum."
}

# --- what will be done ----------------------------------------------------------------------------------------------

step() {
    STEP=$((STEP + 1))
    say "[$STEP/7] $*"
}

choose_folders() {
    IS_SYSTEM=no
    LINK=''
    if [ -n "$PREFIX" ]; then
        case $PREFIX in /*) CODE=$PREFIX ;; *) CODE=$PWD/$PREFIX ;; esac
        CODE=${CODE%/}
        STATE=$CODE/state
    elif [ "$(id -u)" = 0 ]; then
        IS_SYSTEM=yes
        CODE=/opt/appliance
        STATE=/var/lib/appliance
        LINK=/usr/local/bin/appliance
    else
        CODE=$HOME/.local/lib/appliance
        STATE=$HOME/.local/share/appliance
        LINK=$HOME/.local/bin/appliance
    fi
    UNIT=''
    if [ "$IS_SYSTEM" = yes ] && [ -d /run/systemd/system ]; then UNIT=/etc/systemd/system/appliance.service; fi
    STAGING=$CODE/.staging
    COMMAND=${LINK:-$CODE/bin/appliance}
}

# The version and a checksum over all that decides what would be installed.
identify() {
    if [ -n "$WHEEL" ]; then
        wheel=$(sha256 "$WHEEL")
    elif [ -n "$WHEEL_INDEX" ]; then
        wheel=$WHEEL_INDEX
    else
        wheel=$(sh "$HERE/llama_wheel.sh" record)
    fi
    version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' "$SOURCE/appliance/__init__.py")
    tree=$(cd "$SOURCE" && "$PYTHON" installer/host.py digest \
        pyproject.toml README.md LICENSE appliance models kernels tui installer)
    # What an earlier run was asked for stays, until somebody says otherwise
    WITH=${WITH:-$(recorded with)}
    if [ "$WITH" = none ]; then WITH=''; fi
    ID=$version-$(printf '%s\n' "$tree" "$wheel" "$RUNTIME_PYTHON" ${WITH:+"with $WITH"} | sha256 - | cut -c 1-12)
    VERSION_FOLDER=$CODE/versions/$ID
}

show_plan() {
    say "LLM appliance ${ID%-*} ($ID)"
    say "      code    $CODE"
    say "      state   $STATE"
    say "      command $COMMAND"
    say "      python  $RUNTIME_PYTHON"
    if [ -n "$WHEEL" ]; then
        say "      llama.cpp: the wheel $WHEEL"
        say "                 $WHEEL_WORDS"
    elif [ -n "$WHEEL_INDEX" ]; then
        say "      llama.cpp: a ready wheel from $WHEEL_INDEX, its checksum unverified"
    else
        say '      llama.cpp: compiled for this processor (5 to 10 minutes on two cores; for a GPU, longer)'
        say "      gpu     $GPU_WORDS"
    fi
    [ -z "$WITH" ] || say "      with    $WITH"
    if [ "$IS_SYSTEM" = yes ]; then say "      user    appliance${UNIT:+, service appliance.service}"; fi
    if [ "$START" = yes ]; then say "      start   http://127.0.0.1:$SETTINGS_PORT"; else say '      start   no (--no-start)'; fi
}

is_installed() {
    [ -x "$CODE/current/venv/bin/appliance" ] && [ "$(recorded id)" = "$ID" ]
}

recorded() {
    sed -n "s/^$1 //p" "$CODE/INSTALLED" 2>/dev/null | head -n 1
}

say_nothing_changed() {
    say "This version ($ID) is installed in $CODE; nothing changed."
    if is_running; then
        say "The daemon is running: http://127.0.0.1:$SETTINGS_PORT"
    else
        say "The daemon is not running; start it with: $(start_command)"
    fi
}

confirm() {
    if [ "$YES" = yes ] || [ ! -t 0 ]; then return 0; fi
    printf 'Go on? [Y/n] '
    read -r answer
    case $answer in '' | [Yy]*) ;; *) fail 'nothing was done.' ;; esac
}

# --- staging --------------------------------------------------------------------------------------------------------

open_staging() {
    MADE_FOLDERS=$(missing_folders "$CODE" "$(dirname "${LINK:-$CODE}")" "$STATE")
    HAD_STATE=no
    if [ -d "$STATE" ]; then HAD_STATE=yes; fi
    PREVIOUS=$(readlink "$CODE/current" 2>/dev/null || :)
    trap undo EXIT
    rm -rf "$STAGING"
    mkdir -p "$STAGING/tmp" "$CODE/versions"
    printf '%s\n' "$$" >"$STAGING/pid"
    rm -rf "$VERSION_FOLDER"
    mkdir "$VERSION_FOLDER"
    TMPDIR=$STAGING/tmp
    export TMPDIR
}

# Print the folders on the way to each argument that don't exist yet, deepest first: whoever makes them, removes them.
missing_folders() {
    for folder in "$@"; do
        folder=$(dirname "$folder/.")
        while [ ! -d "$folder" ]; do
            say "$folder"
            folder=$(dirname "$folder")
        done
    done
}

# Leave things as they were, whatever went wrong.
# shellcheck disable=SC2329  # the trap of open_staging calls it
undo() {
    status=$?
    trap - EXIT
    trap '' INT TERM HUP PIPE
    stop_child
    stop_trial
    if [ "$DONE" = yes ]; then
        rm -rf "$LOG_FOLDER"
        exit 0
    fi
    rm -rf "$STAGING" "$VERSION_FOLDER"
    rmdir "$CODE/wheels" 2>/dev/null || :
    if [ -n "$PREVIOUS" ]; then
        restore_previous
    elif [ -f "$CODE/INSTALLED" ]; then
        set -- --yes
        if [ "$HAD_STATE" = yes ]; then set -- --yes --keep-state; fi
        sh "$CODE/uninstall.sh" "$@" >>"$LOG" 2>&1 || :
    else
        rm -rf "$CODE/versions" "$CODE/wheels"
        printf '%s\n' "$MADE_FOLDERS" | while read -r folder; do
            [ -z "$folder" ] || rmdir "$folder" 2>/dev/null || :
        done
    fi
    if [ "${KEEP_LOG-}" = yes ]; then
        say "appliance: nothing was installed${PREVIOUS:+ and the version before is in place}; the whole log: $LOG" >&2
    else
        rm -rf "$LOG_FOLDER"
        say "appliance: stopped; nothing was installed${PREVIOUS:+ and the version before is in place}." >&2
    fi
    exit "$status"
}

say_goodbye() {
    url=http://127.0.0.1:$SETTINGS_PORT
    say
    if [ "$START" = yes ]; then say "The appliance is running: $url"; else say "Start it with: $(start_command)"; fi
    say
    say "  curl $url/v1/chat/completions -d '{\"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}' -H 'Content-Type: application/json'"
    say "  python: OpenAI(base_url=\"$url/v1\", api_key=\"none\")"
    say "  $(quote "$COMMAND") run guide"
    if [ -n "$LINK" ]; then
        case :$PATH: in
            *":$(dirname "$LINK"):"*) ;;
            *) say && say "$(dirname "$LINK") is not on your PATH yet: export PATH=\"$(dirname "$LINK"):\$PATH\"" ;;
        esac
    fi
}

# --- in order -------------------------------------------------------------------------------------------------------

parse() {
    PREFIX='' START=yes DRY_RUN=no YES=no WHEEL='' WHEEL_INDEX='' GPU=auto PYTHON_ASKED='' ARCHIVE='' CHECKSUM='' WITH=''
    while [ $# -gt 0 ]; do
        case $1 in
            --prefix | --with | --wheel | --wheel-index | --gpu | --python | --source | --sha256)
                [ $# -ge 2 ] || misused "$1 wants a value"
                ;;
        esac
        case $1 in
            --prefix) PREFIX=$2 && shift ;;
            --with) WITH=$2 && shift ;;
            --wheel) WHEEL=$2 && shift ;;
            --wheel-index) WHEEL_INDEX=$2 && shift ;;
            --gpu) GPU=$2 && shift ;;
            --python) PYTHON_ASKED=$2 && shift ;;
            --source) ARCHIVE=$2 && shift ;;
            --sha256) CHECKSUM=$2 && shift ;;
            --no-start) START=no ;;
            --dry-run) DRY_RUN=yes ;;
            --yes | -y) YES=yes ;;
            --help | -h) usage && exit 0 ;;
            *) misused "there is no option $1" ;;
        esac
        shift
    done
    [ -z "$WHEEL" ] || [ -z "$WHEEL_INDEX" ] || misused 'choose one of --wheel and --wheel-index'
    case $GPU in
        auto | cuda | vulkan | rocm | metal | none) ;;
        *) misused "--gpu is one of auto, cuda, vulkan, rocm, metal, none" ;;
    esac
    case $WITH in
        '' | none | mcp | audio | audio,mcp) ;;
        mcp,audio) WITH=audio,mcp ;;
        *) misused "--with is one of mcp, audio, mcp,audio, none" ;;
    esac
    [ "$GPU" = auto ] || [ -z "$WHEEL$WHEEL_INDEX" ] || misused 'a ready wheel is what it is; leave out --gpu'
    [ -z "$CHECKSUM" ] || [ -n "$ARCHIVE" ] || misused '--sha256 belongs to --source'
}

misused() {
    printf 'appliance: %s; see --help.\n' "$1" >&2
    exit 2
}

hand_over() {
    set -- --yes
    [ -z "$PREFIX" ] || set -- "$@" --prefix "$PREFIX"
    [ -z "$WITH" ] || set -- "$@" --with "$WITH"
    [ -z "$WHEEL" ] || set -- "$@" --wheel "$WHEEL"
    [ -z "$WHEEL_INDEX" ] || set -- "$@" --wheel-index "$WHEEL_INDEX"
    [ "$GPU" = auto ] || set -- "$@" --gpu "$GPU"
    [ -z "$PYTHON_ASKED" ] || set -- "$@" --python "$PYTHON_ASKED"
    [ "$START" = yes ] || set -- "$@" --no-start
    [ "$DRY_RUN" = no ] || set -- "$@" --dry-run
    install_from_archive "$ARCHIVE" "$CHECKSUM" "$@"
}

main() {
    parse "$@"
    umask 022
    unset PYTHONPATH PYTHONHOME VIRTUAL_ENV PIP_TARGET PIP_PREFIX PIP_USER PIP_REQUIRE_VIRTUALENV
    if [ -n "$ARCHIVE" ]; then
        hand_over
        return
    fi
    SOURCE=$(source_of_script) || refuse 'say where the source is: --source ARCHIVE|URL (or run installer/install.sh in a checkout).'
    HERE=$SOURCE/installer
    for part in common gpu checks build switch; do
        # shellcheck source=/dev/null
        . "$HERE/$part.sh"
    done
    STEP=0 DONE=no
    choose_folders
    step 'Checking this machine'
    check_machine
    identify
    show_plan
    if is_installed; then
        say_nothing_changed
    elif [ "$DRY_RUN" = yes ]; then
        say 'A dry run: nothing was written.'
    else
        confirm
        install
    fi
}

install() {
    LOG_FOLDER=$(mktemp -d "${TMPDIR:-/tmp}/appliance-install.XXXXXX")
    LOG=$LOG_FOLDER/install.log
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP PIPE
    open_staging
    TOOLS=$STAGING/tools
    step 'Fetching the build tools (kept only while this runs)'
    make_tools "$TOOLS" || no_packages
    step 'Fetching what the appliance is made of'
    install_dependencies
    step 'Getting llama.cpp'
    install_llama_cpp
    step 'Building and installing the appliance'
    install_ourselves
    step 'Asking the model that comes with it a first question'
    prove
    step 'Switching over'
    switch_over
    if [ "$START" = yes ]; then start_and_wait; fi
    if [ "$START" = yes ] || ! is_running; then remove_older_versions; fi
    rm -rf "$STAGING"
    DONE=yes
    say_goodbye
}

# In braces: a shell that never sees the closing one runs nothing, wherever the file was cut off.
{ main "$@"; exit; }
