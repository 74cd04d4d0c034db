# shellcheck shell=bash
# shellcheck disable=SC2153  # CONTROLLER is an option, controller a name
# Starting, watching whether it is healthy, exchanging versions and going back.

HEALTHY_WITHIN_S=60
STEADY_S=5

is_active() {
    [ "$(systemctl show -p ActiveState --value faceedge.service 2>/dev/null)" = active ]
}

enable() {
    systemctl is-enabled --quiet "$1" 2>/dev/null || run systemctl enable "$1" ||
        fail "systemd does not take $1" "see the log; systemd-analyze verify $1 says more"
}

step_service() {
    [ -d "$ROOT/run/systemd/system" ] || [ -n "$DRY_RUN" ] || fail "systemd does not run here" \
        "boot this machine with systemd, then run this again"
    enable faceedge.service
    enable faceedge-build.path
    if is_jetson; then
        enable faceedge-power.service
        run systemctl start faceedge-power.service || warn "the power mode was not set: systemctl status faceedge-power"
    fi
    if is_changed || ! is_active; then
        start_anew || fail "faceedge does not run well" "$(remedy_of_service)"
    fi
    watch_wishes
    start_controllers
}

start_anew() {
    run systemctl reset-failed faceedge.service || true
    run systemctl --no-block restart faceedge.service || return 1
    [ -z "$DRY_RUN" ] || return 0
    wait_healthy || return 1
    run rm -f "$OPT/.changed"
}

watch_wishes() {
    run systemctl start faceedge-build.path ||
        warn "engines are not built by themselves: systemctl status faceedge-build.path"
}

remedy_of_service() {
    echo "journalctl -u faceedge -n 30 says why; mend it and run this again"
}

start_controllers() {
    local door named
    [ "$CONTROLLER" = here ] && [ -z "$DRY_RUN" ] || return 0
    named="$(controllers "if c['named']")" || fail "the doors cannot be listed" "faceedge door list says why"
    while read -r door _; do
        [ -n "$door" ] || continue
        enable "faceedge-controller@$door.service"
        run systemctl start "faceedge-controller@$door.service"
    done <<<"$named"
}

# Healthy is: ready, not in safe mode, and for some seconds the same process, which systemd did not have to start again.
wait_healthy() {
    local tick steady=0 state
    for ((tick = 0; tick < HEALTHY_WITHIN_S; tick++)); do
        state="$(systemctl show -p ActiveState -p NRestarts -p StatusText faceedge.service)"
        [[ "$state" == *NRestarts=0* ]] || return 1
        if [[ "$state" == *ActiveState=active* && "$state" != *"safe mode"* ]]; then
            steady=$((steady + 1))
        else
            steady=0
        fi
        [ "$steady" -le "$STEADY_S" ] || return 0
        sleep 1
    done
    return 1
}

# --upgrade on another version, or an exchange that was interrupted before the new version had proved itself.
is_exchange() {
    if [ -e "$OPT/.trial" ]; then return 0; fi
    [ -n "$UPGRADE" ] && [ "$(current_version)" != "$VERSION" ]
}

step_exchange() {
    local before
    before="$(version_before)"
    note_trial "$before"
    install_units "$VENV/systemd"
    remove_strange_units "$VENV/systemd"
    switch_to "$VERSION"
    if start_anew; then
        watch_wishes
        end_trial
        remove_old_versions "$before"
        return 0
    fi
    go_back "$before"
}

version_before() {
    if [ -e "$OPT/.trial" ]; then cat "$OPT/.trial"; else current_version; fi
}

# On disk, so that a run after a power cut knows where to go back to.
note_trial() {
    [ ! -e "$OPT/.trial" ] || return 0
    [ -n "$DRY_RUN" ] || printf '%s' "$1" >"$OPT/.trial.new"
    run sync "$OPT/.trial.new"
    run mv "$OPT/.trial.new" "$OPT/.trial"
}

end_trial() {
    run rm -f "$OPT/.trial"
}

# Program and units of the version before; databases stay as they are: a version reads them after one
# step of the next one, and refuses to start after more.
go_back() {
    local how="runs again"
    say "  version $VERSION is not healthy: back to $1"
    [ -d "$OPT/$1/bin" ] || fail "version $VERSION is not healthy, and $1 is gone" "$(remedy_of_service)"
    # What the bad version did is not held against the one before: its ends would count towards a safe mode.
    run systemctl stop faceedge.service || true
    run rm -f "$ROOT/var/lib/faceedge/starts.json"
    switch_to "$1"
    install_units "$OPT/$1/systemd"
    remove_strange_units "$OPT/$1/systemd"
    start_anew || how="does not run well either"
    end_trial
    fail "version $VERSION was not healthy within $HEALTHY_WITHIN_S s; version $1 $how" \
        "people, keys and journal are as they were; journalctl -u faceedge says what was wrong"
}

# Units of another version that this one does not have.
remove_strange_units() {
    local file
    for file in "$UNIT_DIR"/faceedge*.{service,path,timer,target}; do
        if [ -f "$file" ] && [ ! -f "$1/${file##*/}" ]; then run rm -f "$file"; fi
    done
    run systemctl daemon-reload
}

# The one that runs and the one before stay.
remove_old_versions() {
    local folder
    for folder in "$OPT"/[0-9]*; do
        case "${folder##*/}" in
        "$VERSION" | "$1") ;;
        *) run rm -rf "$folder" ;;
        esac
    done
}
