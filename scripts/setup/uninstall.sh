# shellcheck shell=bash
# shellcheck disable=SC2034  # STEP and DRY_RUN are read by say.sh
# Everything away that was brought, but for packages of the system; with --purge what the door has gathered, too. What
# was brought is known by its name: an operator's own units stay.

uninstall() {
    local units unit
    STEP=uninstall
    OPT="$ROOT/opt/faceedge"
    if [ -n "$PURGE" ] && [ -z "$DRY_RUN" ] &&
        ! is_sure "People, keys, journal and configuration of this door will be gone."; then
        say "nothing done"
        return 0
    fi
    one_at_a_time
    units="$(our_units)"
    for unit in $units; do stop_unit "$unit"; done
    [ -z "$PURGE" ] || remove_settings "$units"
    remove_program "$units"
    if [ -n "$PURGE" ]; then
        purge
        say "faceedge is gone, with all that it knew. Packages of the system stay."
    else
        say "faceedge is gone. Configuration and state stay in /etc/faceedge and /var/lib/faceedge; --purge removes them."
    fi
}

# Of a template all that was made of it.
instances() {
    printf '%s' "${1/@./@*.}"
}

# Stopped, and no link left that would start it. faceedge-power, when it is stopped, puts back the power mode of before.
stop_unit() {
    local link
    run systemctl stop "$(instances "$1")" || true
    run systemctl disable "$1" || true
    # shellcheck disable=SC2231  # a pattern
    for link in "$UNIT_DIR"/*.wants/$(instances "$1"); do
        [ ! -L "$link" ] || run rm -f "$link"
    done
}

# remove_ours FOLDER OURS KIND…: from a folder of the system the files that lie below `systemd` of a version.
remove_ours() {
    local folder="$1" name
    shift
    for name in $(ours "$@"); do run rm -f "$folder/$name"; done
}

remove_program() {
    local etc="$ROOT/etc" unit
    remove_ours "$UNIT_DIR" . service path timer target
    remove_ours "$etc/udev/rules.d" udev rules
    remove_ours "$etc/sysusers.d" sysusers.d conf
    remove_ours "$etc/tmpfiles.d" tmpfiles.d conf
    remove_ours "$etc/systemd/system.conf.d" drop-ins/system.conf.d conf
    run rmdir "$etc/sysusers.d" "$etc/systemd/system.conf.d" || true # made by us, unless others use them
    run rm -f "$ROOT/usr/local/bin/faceedge"
    run rm -rf "$OPT" "$ROOT/run/faceedge"
    run systemctl daemon-reload || true
    for unit in $1; do run systemctl reset-failed "$(instances "$unit")" || true; done
    run udevadm control --reload || true
}

# What somebody has set beside the units: drop-ins, and keys in the stores of systemd.
remove_settings() {
    local unit name folder
    for unit in $1; do
        # shellcheck disable=SC2231
        for folder in "$UNIT_DIR"/$(instances "$unit").d; do run rm -rf "$folder"; done
    done
    for name in $(our_credentials); do
        for folder in etc run; do
            run rm -f "$ROOT/$folder/credstore/$name" "$ROOT/$folder/credstore.encrypted/$name"
        done
    done
}

our_credentials() {
    { cat "$OPT"/*/systemd/*.service "$SOURCE"/systemd/*.service 2>/dev/null || true; } |
        sed -nE 's/^LoadCredential=([^:]+).*/\1/p' | sort -u
}

purge() {
    run rm -rf "$ROOT/etc/faceedge" "$ROOT/var/lib/faceedge" "$ROOT/var/cache/faceedge" "$ROOT/var/lib/faceedge-power"
    if getent passwd faceedge >/dev/null; then run userdel faceedge || true; fi
    if getent group faceedge >/dev/null; then run groupdel faceedge || true; fi
    [ -n "$DRY_RUN" ] || rm -f "$LOG" "$ROOT/run/faceedge-setup.lock"
    DRY_RUN=1 # what is left to say goes to the terminal alone
}
