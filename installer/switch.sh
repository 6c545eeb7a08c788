# shellcheck shell=sh
# Make a version that has proved itself the installed one: command, record, user, state, service. Sourced by install.sh.

# Print a path so that a shell reads it back as it is.
quote() {
    case $1 in
        *[!A-Za-z0-9/._-]*) printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")" ;;
        *) printf %s "$1" ;;
    esac
}

switch_over() {
    cp "$HERE/uninstall.sh" "$CODE/uninstall.sh"
    write_record
    mkdir -p "$CODE/bin"
    write_command >"$STAGING/command"
    chmod 755 "$STAGING/command" "$CODE/uninstall.sh"
    mv "$STAGING/command" "$CODE/bin/appliance"
    if [ "$IS_SYSTEM" = yes ]; then make_user; fi
    make_state
    point_to "versions/$ID"
    if [ -n "$LINK" ]; then
        mkdir -p "$(dirname "$LINK")"
        ln -sf "$CODE/bin/appliance" "$LINK"
    fi
    if [ -n "$UNIT" ]; then
        cp "$HERE/systemd/appliance.service" "$UNIT"
        systemctl daemon-reload
    fi
}

# What uninstall.sh needs to know; folders that an earlier run made stay on the list.
write_record() {
    made=$(sed -n 's/^made //p' "$CODE/INSTALLED" 2>/dev/null || :)
    {
        say 'llm-appliance installation 1'
        say "id $ID"
        say "state $STATE"
        [ -z "$WITH" ] || say "with $WITH"
        # For advice on how to install again. An unpacked archive's folder goes away, and its name is anybody's then.
        case $SOURCE in */appliance-source.*) ;; *) say "source $SOURCE" ;; esac
        [ -z "$LINK" ] || say "link $LINK"
        [ -z "$UNIT" ] || say "unit $UNIT"
        if [ "$IS_SYSTEM" = yes ] && { [ -n "$(recorded user)" ] || ! id appliance >/dev/null 2>&1; }; then
            say 'user appliance'
        fi
        # In this order a folder comes before the one it lies in.
        printf '%s\n' "$MADE_FOLDERS" "$made" | sort -ru | sed -n 's/^\(..*\)$/made \1/p'
    } >"$STAGING/INSTALLED"
    mv "$STAGING/INSTALLED" "$CODE/INSTALLED"
}

write_command() {
    cat <<END
#!/bin/sh
# Written by install.sh: the installed version, with the state folder of this installation.
if [ -z "\${APPLIANCE_HOME-}" ]; then APPLIANCE_HOME=$(quote "$STATE"); fi
PYTHONSAFEPATH=1
export APPLIANCE_HOME PYTHONSAFEPATH
unset PYTHONHOME PYTHONPATH
exec $(quote "$CODE/current/venv/bin/appliance") "\$@"
END
}

make_user() {
    id appliance >/dev/null 2>&1 || add_user
    # Whose the files of AMD's and Intel's GPUs are.
    for group in render video; do
        if grep -q "^$group:" /etc/group; then add_to_group "$group"; fi
    done
}

add_to_group() {
    if command -v usermod >/dev/null; then usermod -aG "$1" appliance; else addgroup appliance "$1"; fi
}

add_user() {
    if command -v useradd >/dev/null; then
        useradd --system --user-group --home-dir "$STATE" --no-create-home --shell /usr/sbin/nologin appliance
    else
        addgroup -S appliance && adduser -S -D -H -h "$STATE" -s /sbin/nologin -G appliance appliance
    fi
}

make_state() {
    mkdir -p "$STATE/run" "$STATE/logs"
    chmod 700 "$STATE"
    if [ ! -e "$STATE/appliance.toml" ]; then
        sed "${APPLIANCE_SERVER__PORT:+s/^# port = .*/port = $SETTINGS_PORT/}" "$HERE/appliance.toml" >"$STATE/appliance.toml"
    fi
    if [ "$IS_SYSTEM" = yes ]; then chown -R appliance:appliance "$STATE"; fi
}

# Change the link to the installed version in one step (a rename), so that there always is one.
point_to() {
    ln -s "$1" "$CODE/.current"
    "$PYTHON" -c 'import os, sys; os.replace(*sys.argv[1:])' "$CODE/.current" "$CODE/current"
}

restore_previous() {
    if [ "$(readlink "$CODE/current")" != "$PREVIOUS" ]; then
        point_to "$PREVIOUS"
        sed "s|^id .*|id ${PREVIOUS#versions/}|" "$CODE/INSTALLED" >"$CODE/INSTALLED.new"
        mv "$CODE/INSTALLED.new" "$CODE/INSTALLED"
        if [ "$START" = yes ]; then start_daemon >>"$LOG" 2>&1 || :; fi
    fi
}

remove_older_versions() {
    for folder in "$CODE"/versions/*; do
        [ "$folder" = "$VERSION_FOLDER" ] || rm -rf "$folder"
    done
}

is_running() {
    if [ -n "$UNIT" ] && systemctl is-active --quiet appliance; then return 0; fi
    pid=$(cat "$STATE/run/serve.pid" 2>/dev/null) || return 1
    ps -p "$pid" -o args= 2>/dev/null | grep -qF "$CODE/"
}

start_command() {
    if [ -n "$UNIT" ]; then
        say 'systemctl start appliance'
    elif [ "$IS_SYSTEM" = yes ]; then
        say "runuser -u appliance -- $(quote "$COMMAND") serve"
    else
        say "$(quote "$COMMAND") serve"
    fi
}

start_daemon() {
    if [ -n "$UNIT" ]; then
        systemctl enable --quiet appliance
        systemctl restart appliance
        return
    fi
    if is_running; then stop_process "$pid"; fi
    user=''
    if [ "$IS_SYSTEM" = yes ]; then user=appliance; fi
    "$PYTHON" "$HERE/host.py" serve "$user" "$STATE/logs/serve.log" "$STATE/run/serve.pid" "$CODE/bin/appliance" serve
    if [ "$IS_SYSTEM" = yes ]; then chown -R appliance:appliance "$STATE/run" "$STATE/logs"; fi
}

start_and_wait() {
    start_daemon
    pid=$(cat "$STATE/run/serve.pid" 2>/dev/null || :)
    if ! quietly 'starting the daemon' "$PYTHON" "$HERE/host.py" ready "http://127.0.0.1:$SETTINGS_PORT/ready" 120 "$pid"; then
        if [ -n "$UNIT" ]; then
            journalctl --unit appliance --lines 15 --no-pager >&2 || :
        else
            tail -n 15 "$STATE/logs/serve.log" | tee -a "$LOG" >&2
        fi
        exit 1
    fi
}
