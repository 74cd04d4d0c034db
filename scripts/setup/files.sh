# shellcheck shell=bash
# Files of the system: units, users, folders, device rules. Each is replaced as a whole, and only when it differs.

UNIT_DIR="$ROOT/etc/systemd/system"

# Something that the service must be started anew for; kept on disk, for a run that is interrupted before.
mark_changed() {
    [ ! -e "$OPT/.changed" ] || return 0
    run mkdir -p "$OPT"
    run touch "$OPT/.changed"
}

is_changed() {
    [ -e "$OPT/.changed" ]
}

# put SOURCE TARGET MODE: a copy that appears whole.
put() {
    ! cmp -s "$1" "$2" || return 0
    mark_changed
    [ -d "$(dirname "$2")" ] || run mkdir -p "$(dirname "$2")"
    run install -m "$3" "$1" "$2.new"
    run mv "$2.new" "$2"
}

# A version keeps its own units and its command, so that a return to it brings them back.
keep_units() {
    run cp -R "$SOURCE/systemd" "$VENV/systemd"
    run cp "$HERE/setup/faceedge" "$VENV/command"
    [ ! -d "$SOURCE/systemd/libexec" ] || run cp -R "$SOURCE/systemd/libexec" "$VENV/libexec"
}

step_units() {
    local kept="$VENV/systemd"
    [ -z "$DRY_RUN" ] || kept="$SOURCE/systemd"
    install_units "$kept"
}

# ours FOLDER KIND…: names of such files below the folder `systemd` of any version that is here. An operator's own may
# be called faceedge-something, too.
ours() {
    local folder="$1" kind file
    shift
    for kind in "$@"; do
        for file in "$OPT"/*/systemd/"$folder"/*."$kind" "$SOURCE/systemd/$folder"/*."$kind"; do
            [ ! -f "$file" ] || printf '%s\n' "${file##*/}"
        done
    done | sort -u
}

our_units() {
    ours . service path timer target
}

install_units() {
    local kept="$1" file
    for file in "$kept"/*.service "$kept"/*.path "$kept"/*.timer "$kept"/*.target; do
        [ ! -f "$file" ] || put "$file" "$UNIT_DIR/${file##*/}" 0644
    done
    for file in "$kept"/sysusers.d/*.conf "$kept"/tmpfiles.d/*.conf; do
        [ ! -f "$file" ] || put "$file" "$ROOT/etc/$(basename "$(dirname "$file")")/${file##*/}" 0644
    done
    for file in "$kept"/udev/*.rules; do
        [ ! -f "$file" ] || put "$file" "$ROOT/etc/udev/rules.d/${file##*/}" 0644
    done
    [ -z "$HARDWARE_WATCHDOG" ] || install_watchdog "$kept"
    announce_units
}

install_watchdog() {
    local file
    for file in "$1"/drop-ins/system.conf.d/*.conf; do
        put "$file" "$ROOT/etc/systemd/system.conf.d/${file##*/}" 0644
    done
    say "  the hardware watchdog begins with the next boot"
}

announce_units() {
    is_changed || [ -n "$DRY_RUN" ] || return 0
    run_or_tell "the user faceedge cannot be made" "see the log" \
        systemd-sysusers "$ROOT/etc/sysusers.d/faceedge.conf"
    run_or_tell "systemd does not take the units" "systemctl must work: this needs a machine that was booted with systemd" \
        systemctl daemon-reload
    run udevadm control --reload || warn "udev does not run here: its rules hold from the next boot"
    run udevadm trigger --subsystem-match=video4linux || true
}

# What commands need before the service has run for the first time; the units keep the same folders.
step_folders() {
    run systemd-tmpfiles --create "$ROOT/etc/tmpfiles.d/faceedge.conf" || true
    folder "$ROOT/etc/faceedge" root 0750
    folder "$ROOT/var/lib/faceedge" faceedge 0700
    folder "$ROOT/var/cache/faceedge" faceedge 0750
    put "$HERE/setup/faceedge" "$ROOT/usr/local/bin/faceedge" 0755
}

folder() {
    [ -d "$1" ] || run install -d -o "$2" -g faceedge -m "$3" "$1"
}
