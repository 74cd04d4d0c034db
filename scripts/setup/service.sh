# shellcheck shell=bash
# shellcheck disable=SC2153  # CONTROLLER is an option, controller a name
# Starting, and watching whether it is healthy.

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
    local before
    before="$(invocation)"
    run systemctl reset-failed faceedge.service || true
    run systemctl --no-block restart faceedge.service || return 1
    [ -z "$DRY_RUN" ] || return 0
    wait_healthy "$before" || return 1
    run rm -f "$OPT/.changed"
}

# Names one run of the service; the next one has another.
invocation() {
    systemctl show -p InvocationID --value faceedge.service 2>/dev/null || true
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

# wait_healthy BEFORE: healthy is another run than that one, ready, not in safe mode, and for some seconds the same
# process, which systemd did not have to start again.
wait_healthy() {
    local tick steady=0 state ends=$((SECONDS + HEALTHY_WITHIN_S))
    for ((tick = 0; tick < HEALTHY_WITHIN_S && SECONDS < ends; tick++)); do
        state="$(systemctl show -p ActiveState -p NRestarts -p StatusText -p InvocationID faceedge.service)"
        if [ -n "${1:-}" ] && [[ "$state" == *"InvocationID=$1"* ]]; then
            steady=0
        elif [[ "$state" != *NRestarts=0* ]]; then
            return 1
        elif [[ "$state" == *ActiveState=active* && "$state" != *"safe mode"* ]]; then
            steady=$((steady + 1))
        else
            steady=0
        fi
        [ "$steady" -le "$STEADY_S" ] || return 0
        sleep 1
    done
    return 1
}
