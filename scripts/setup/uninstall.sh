# shellcheck shell=bash
# shellcheck disable=SC2034  # STEP and DRY_RUN are read by say.sh
# Everything away that was brought, but for packages of the system; with --purge what the door has gathered, too.

uninstall() {
    STEP=uninstall
    OPT="$ROOT/opt/faceedge"
    if [ -n "$PURGE" ] && ! is_sure "People, keys, journal and configuration of this door will be gone."; then
        say "nothing done"
        return 0
    fi
    stop_units
    remove_program
    if [ -n "$PURGE" ]; then
        purge
        say "faceedge is gone, with all that it knew. Packages of the system stay."
    else
        say "faceedge is gone. Configuration and state stay in /etc/faceedge and /var/lib/faceedge; --purge removes them."
    fi
}

# Stopped, faceedge-power puts back the power mode that was there before.
stop_units() {
    local file unit
    for file in "$UNIT_DIR"/faceedge*.{path,timer,service}; do
        [ -f "$file" ] || continue
        unit="${file##*/}"
        [[ "$unit" != *@.service ]] || unit="${unit%.service}*.service"
        run systemctl stop "$unit" || true
        disable "${file##*/}"
    done
}

# Links to the unit and, of a template, to its instances.
disable() {
    local link
    run systemctl disable "$1" || true
    for link in "$UNIT_DIR"/*.wants/"${1%.*}"*; do
        [ ! -L "$link" ] || run rm -f "$link"
    done
}

remove_program() {
    local etc="$ROOT/etc"
    run rm -f "$UNIT_DIR"/faceedge*.{service,path,timer,target} "$etc/udev/rules.d/"*faceedge*.rules \
        "$etc/sysusers.d/faceedge.conf" "$etc/tmpfiles.d/faceedge.conf" \
        "$etc/systemd/system.conf.d/faceedge-watchdog.conf" "$ROOT/usr/local/bin/faceedge"
    run rmdir "$etc/sysusers.d" "$etc/systemd/system.conf.d" || true # made by us, unless others use them
    run rm -rf "$OPT" "$ROOT/run/faceedge"
    run systemctl daemon-reload || true
    run systemctl reset-failed 'faceedge*' || true
    run udevadm control --reload || true
}

purge() {
    run rm -rf "$ROOT/etc/faceedge" "$ROOT/var/lib/faceedge" "$ROOT/var/cache/faceedge" "$ROOT/var/lib/faceedge-power" \
        "$UNIT_DIR"/faceedge*.d
    if getent passwd faceedge >/dev/null; then run userdel faceedge || true; fi
    if getent group faceedge >/dev/null; then run groupdel faceedge || true; fi
    [ -n "$DRY_RUN" ] || rm -f "$LOG" "$ROOT/run/faceedge-setup.lock"
    DRY_RUN=1 # what is left to say goes to the terminal alone
}
