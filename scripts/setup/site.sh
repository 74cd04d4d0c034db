# shellcheck shell=bash
# shellcheck disable=SC2153  # CONTROLLER is an option, controller a name
# What is this door's own: configuration, keys, engines. All by commands of the product, as the service's user.

config_file() {
    printf '%s' "$ROOT/etc/faceedge/faceedge.toml"
}

# product WORDS…: the faceedge that was installed.
product() {
    as_service "$VENV/bin/faceedge" "$@"
}

as_service() {
    runuser -u faceedge "${SERVICE_GROUP[@]}" -- env -u PYTHONPATH PYTHONNOUSERSITE=1 \
        FACEEDGE_CONFIG="$(config_file)" FACEEDGE_CACHE="$ROOT/var/cache/faceedge" "$@"
}
SERVICE_GROUP=()

step_config() {
    if [ -e "$(config_file)" ]; then
        [ -z "$CAMERA$BROKER$DOOR" ] || say "  $(config_file) is there and stays as it is"
    else
        ask_for_the_door
        write_config
    fi
    # An interrupted run may have left it to root alone.
    run chown root:faceedge "$(config_file)"
    run_or_tell "the configuration is no good" "mend $(config_file), then run this again" product config check
}

# Asked before anything is changed, so that nobody waits for a question.
ask_for_the_door() {
    [ -n "$CAMERA" ] || CAMERA="$(ask "Camera (/dev/video0, csi:0, rtsp://…)" "")"
    [ -n "$CAMERA" ] || fail "no camera was named" "add --camera, as in --camera /dev/video0"
    [ -n "$DOOR" ] || DOOR="$(ask "Name of the door" main)"
    [ -n "$BROKER" ] || BROKER="$(ask "MQTT broker" mqtt://127.0.0.1:1883)"
    [ -n "$DEVICE" ] || DEVICE="$(ask "Name of this device" faceedge)"
}

# The broker's secrets are copied to where the service may read them.
write_config() {
    local words=(--camera "$CAMERA" --door "$DOOR" --broker "$BROKER" --device "$DEVICE") folder="$ROOT/etc/faceedge"
    [ -z "$LOOP" ] || words+=(--loop)
    [ -z "$BROKER_PIN" ] || words+=(--broker-pin "$BROKER_PIN")
    [ -z "$BROKER_USER" ] || words+=(--broker-user "$BROKER_USER")
    if [ -n "$BROKER_CA" ]; then
        run install -o root -g faceedge -m 0640 "$BROKER_CA" "$folder/broker-ca.pem"
        words+=(--broker-ca "$folder/broker-ca.pem")
    fi
    if [ -n "$BROKER_PASSWORD_FILE" ]; then
        run install -o faceedge -g faceedge -m 0600 "$BROKER_PASSWORD_FILE" "$folder/broker-password"
        words+=(--broker-password-file "$folder/broker-password")
    fi
    mark_changed
    run_or_tell "the configuration cannot be written" "correct what it says above and run this again" \
        "$VENV/bin/faceedge" config new --out "$(config_file)" "${words[@]}"
}

step_config_fits() {
    run_or_tell "version $VERSION refuses the configuration; nothing was changed" \
        "mend $(config_file), which the present version reads, too, then run this again" product config check
}

# A key for every controller that the configuration names and that has none.
step_doors() {
    local door controller unpaired
    if [ -n "$DRY_RUN" ]; then
        say "  would make a key for each controller that has none"
        return 0
    fi
    unpaired="$(controllers "if c['named'] and c['fault']")" || fail "the doors cannot be listed" \
        "faceedge door list says why"
    while read -r door controller; do
        [ -z "$door" ] || pair "$door" "$controller"
    done <<<"$unpaired"
}

# controllers CONDITION: `door controller` a line.
controllers() {
    { product door list --json 2>>"$LOG" || true; } |
        from_json "'\n'.join(c['door'] + ' ' + c['controller'] for c in found['controllers'] $1)"
}

pair() {
    local words=(door add "$1" --controller "$2")
    mark_changed
    case "$CONTROLLER" in
    qr) [ -t 1 ] && product "${words[@]}" --qr && return 0 ;;
    serial:*)
        SERVICE_GROUP=(-G "$(stat -c %G "${CONTROLLER#serial:}")")
        run_or_tell "the key cannot be written to ${CONTROLLER#serial:}" "the file has it: copy it to the controller by hand" \
            product "${words[@]}" --serial "${CONTROLLER#serial:}"
        SERVICE_GROUP=()
        return 0
        ;;
    esac
    run_or_tell "the key of door $1 cannot be made" "faceedge door list says more" product "${words[@]}"
}

# The door does not wait for engines: a unit builds them while it serves.
step_engines() {
    local engines="$ROOT/var/lib/faceedge/engines"
    is_jetson && [ "$MODELS" != none ] || return 0
    ! compgen -G "$engines/*/*.plan" >/dev/null || return 0
    run as_service mkdir -p -m 0700 "$engines"
    run as_service touch "$engines/wanted"
}

# Once a version, before its first start.
step_selftest() {
    if [ "$SELFTEST" = skip ] || [ -e "$VENV/.selftest" ] || is_active; then return 0; fi
    run_or_tell "the self-test found something" \
        "its report in /var/lib/faceedge/selftest says what; --selftest skip goes on without" \
        product selftest --minutes "$SELFTEST"
    run touch "$VENV/.selftest"
}

step_next() {
    [ -z "$DRY_RUN" ] || return 0
    say ""
    say "faceedge $VERSION runs. Next:"
    say "  enrol somebody    faceedge enroll 'Ada Lovelace' /tmp/ada-1.jpg /tmp/ada-2.jpg"
    tell_keys
    say "  say who may pass  faceedge rules add staff ${DOOR:-main} --at 'mon-fri 08:00-18:00'   (without a rule: everybody enrolled)"
    say "  watch it decide   journalctl -fu faceedge; faceedge why"
    [ -z "$HARDWARE_WATCHDOG" ] || say "  reboot once       for the hardware watchdog"
    say "Liveness is off: a photo may open the door. docs/operate.md has the rest, $LOG what was done."
}

tell_keys() {
    local door controller named
    if [ "$CONTROLLER" = here ]; then
        say "  the door          is a controller on this machine: journalctl -fu 'faceedge-controller@*'"
        return 0
    fi
    named="$(controllers "if c['named']")" || fail "the doors cannot be listed" "faceedge door list says why"
    while read -r door controller; do
        [ -z "$door" ] || say "  the controller    carry /var/lib/faceedge/keys/door-$door.$controller.key to it," \
            "then: faceedge door test $door --controller $controller"
    done <<<"$named"
}
