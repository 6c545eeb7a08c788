#!/bin/sh
# Remove the LLM appliance: the daemon, its service, its code, its state. install.sh leaves a copy of this in the code's
# folder. It needs nothing but a POSIX shell, because the Python that was installed with may be gone by now.
set -eu

usage() {
    cat <<'END'
Remove the LLM appliance from this machine.

  CODE/uninstall.sh [options]       CODE: /opt/appliance, ~/.local/lib/appliance, or the --prefix of the installation

  --prefix DIR   the installation in DIR, instead of the one this script lies in
  --keep-models  keep the models, remove everything else
  --keep-state   keep all state (models, settings, keys), remove the code
  --yes          ask nothing
  --help         this text

Model files that were added in place lie outside the state folder and are never touched.
END
}

fail() {
    printf 'appliance: %s\n' "$*" >&2
    exit "${2:-1}"
}

parse() {
    CODE='' KEEP=nothing YES=no
    while [ $# -gt 0 ]; do
        case $1 in
            --prefix) [ $# -ge 2 ] || misused '--prefix wants a value' && CODE=$2 && shift ;;
            --keep-models) KEEP=models ;;
            --keep-state) KEEP=state ;;
            --yes | -y) YES=yes ;;
            --help | -h) usage && exit 0 ;;
            *) misused "there is no option $1" ;;
        esac
        shift
    done
}

misused() {
    printf 'appliance: %s; see --help.\n' "$1" >&2
    exit 2
}

# The folder of this script when it is an installation, else where install.sh puts one.
find_installation() {
    if [ -z "$CODE" ]; then
        CODE=$(cd "$(dirname "$0")" 2>/dev/null && pwd) || CODE=''
        if [ ! -f "$CODE/INSTALLED" ]; then
            CODE=$HOME/.local/lib/appliance
            [ "$(id -u)" != 0 ] || CODE=/opt/appliance
        fi
    fi
    case $CODE in /*) ;; *) CODE=$PWD/$CODE ;; esac
    CODE=${CODE%/}
    [ "$(head -n 1 "$CODE/INSTALLED" 2>/dev/null)" = 'llm-appliance installation 1' ] ||
        fail "$CODE is no installation of the appliance, so nothing was removed; name the right folder: --prefix DIR"
    [ -w "$CODE" ] || fail "only the owner of $CODE may remove it: sudo sh '$CODE/uninstall.sh'"
    STATE=$(recorded state)
    LINK=$(recorded link)
    UNIT=$(recorded unit)
    ACCOUNT=$(recorded user)
    MADE=$(recorded made)
}

recorded() {
    sed -n "s/^$1 //p" "$CODE/INSTALLED"
}

confirm() {
    [ "$YES" = no ] || return 0
    [ -t 0 ] || fail "say --yes to remove $CODE and its state without being asked."
    case $KEEP in
        models) printf 'Remove %s and %s, but keep %s/models? [y/N] ' "$CODE" "$STATE" "$STATE" ;;
        state) printf 'Remove %s and keep %s? [y/N] ' "$CODE" "$STATE" ;;
        *) printf 'Remove %s and %s with all models in it? [y/N] ' "$CODE" "$STATE" ;;
    esac
    read -r answer
    case $answer in [Yy]*) ;; *) fail 'nothing was removed.' ;; esac
}

# Every process that runs this installation's code: the daemon, and one that was started by hand.
processes() {
    ps -A -o pid= -o args= | awk -v code="$CODE/" -v own="$$" \
        'index($0, code "versions/") || index($0, code "current/venv/") {if ($1 != own) print $1}'
}

stop_daemon() {
    if [ -n "$UNIT" ] && command -v systemctl >/dev/null; then
        systemctl disable --now --quiet appliance 2>/dev/null || :
        rm -f "$UNIT"
        systemctl daemon-reload 2>/dev/null || :
        systemctl reset-failed appliance 2>/dev/null || :
    fi
    waited=0
    # Word by word: one process id each.
    # shellcheck disable=SC2046
    [ -z "$(processes)" ] || kill -TERM $(processes) 2>/dev/null || :
    while [ -n "$(processes)" ] && [ "$waited" -lt 40 ]; do
        sleep 1
        waited=$((waited + 1))
    done
    # shellcheck disable=SC2046
    [ -z "$(processes)" ] || kill -KILL $(processes) 2>/dev/null || :
}

remove_code() {
    if [ -n "$LINK" ] && [ "$(readlink "$LINK" 2>/dev/null)" = "$CODE/bin/appliance" ]; then rm -f "$LINK"; fi
    rm -rf "$CODE/versions" "$CODE/current" "$CODE/.current" "$CODE/.staging" "$CODE/wheels" "${CODE:?}/bin"
}

# Only what the daemon keeps there; a file that someone else put beside it stays, and so does its folder.
remove_state() {
    case $KEEP in
        state) return ;;
        models)
            find "$STATE" -mindepth 1 -maxdepth 1 ! -name models -exec rm -rf {} +
            rmdir "$STATE" 2>/dev/null || :
            ;;
        *) rm -rf "$STATE" ;;
    esac
}

remove_user() {
    if [ -z "$ACCOUNT" ]; then return 0; fi
    # What stays belongs to root until the next installation: a number without a name could become someone else's.
    if [ -d "$STATE" ]; then chown -R 0:0 "$STATE"; fi
    if command -v userdel >/dev/null; then
        userdel "$ACCOUNT" >/dev/null 2>&1 || :
    else
        deluser "$ACCOUNT" >/dev/null 2>&1 || :
    fi
}

# The folders that install.sh made on the way here, when nobody else has put anything into them since.
remove_folders() {
    rm -f "$CODE/INSTALLED" "$CODE/uninstall.sh"
    rmdir "$CODE" 2>/dev/null || :
    printf '%s\n' "$MADE" | while read -r folder; do
        [ -z "$folder" ] || rmdir "$folder" 2>/dev/null || :
    done
}

say_what_is_left() {
    if [ "$KEEP" = models ] && [ -d "$STATE/models" ]; then
        printf 'The appliance is removed; the models are in %s/models.\n' "$STATE"
    elif [ "$KEEP" = state ]; then
        printf 'The appliance is removed; its state is in %s.\n' "$STATE"
    elif [ -d "$CODE" ]; then
        printf 'The appliance is removed; other files are left in %s.\n' "$CODE"
    else
        printf 'The appliance is removed; nothing of it is left.\n'
    fi
}

main() {
    parse "$@"
    find_installation
    confirm
    cd /
    stop_daemon
    remove_code
    remove_state
    remove_user
    remove_folders
    say_what_is_left
}

# In braces: a shell that never sees the closing one runs nothing, wherever the file was cut off.
{ main "$@"; exit; }
