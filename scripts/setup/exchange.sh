# shellcheck shell=bash
# From one version to the next, and back when that is not healthy, fails on its way or is interrupted.

# --upgrade on another version, or an exchange that was interrupted before the new version had proved itself.
is_exchange() {
    if [ -e "$OPT/.trial" ]; then return 0; fi
    [ -n "$UPGRADE" ] && [ "$(current_version)" != "$VERSION" ]
}

version_before() {
    if [ -e "$OPT/.trial" ]; then cat "$OPT/.trial"; else current_version; fi
}

# A version reads databases that have been taken one step further than its own; after two there would be no way back.
step_databases_fit() {
    local before steps others name after reads now
    if [ -n "$DRY_RUN" ]; then
        say "  would compare the steps of the databases"
        return 0
    fi
    before="$(version_before)"
    steps="$(steps_of "$before")" || fail "version $before does not say which databases it reads" "see the log"
    others="$(steps_of "$VERSION")" || fail "version $VERSION does not say which databases it reads" "see the log"
    while read -r name after; do
        [[ "$steps" =~ (^|$'\n')"$name "([0-9]+) ]] || continue
        reads=$((BASH_REMATCH[2] + 1))
        now="$(steps_taken "$name")" || fail "$name cannot be read" "faceedge doctor says more; nothing was changed"
        [ "$now" -le $((after + 1)) ] || fail "version $VERSION is too old for $name; nothing was changed" \
            "take a version that is no older than $before"
        [ "$after" -le "$reads" ] || [ "$now" -gt "$reads" ] || fail \
            "version $before could not read $name after $VERSION: there would be no way back; nothing was changed" \
            "upgrade to a release between the two first, one release at a time"
    done <<<"$others"
}

# steps_of VERSION: `gallery.db 4` a line: each of its databases, and the steps that it takes it through. By -I it looks
# at no folder but its own: this one may be a checkout of another version.
steps_of() {
    as_service "$OPT/$1/bin/python" -I -c 'from faceedge.gallery import schema as gallery
from faceedge.journal import schema as journal
for name, steps in ("gallery.db", gallery.MIGRATIONS), ("journal.db", journal.MIGRATIONS):
    print(name, len(steps))' 2>>"$LOG"
}

# steps_taken NAME: how many the database here has seen; 0 where there is none.
steps_taken() {
    as_service "$VENV/bin/python" -I -c 'import os, sqlite3, sys
path = sys.argv[1]
print(sqlite3.connect(path).execute("PRAGMA user_version").fetchone()[0] if os.path.exists(path) else 0)' \
        "$ROOT/var/lib/faceedge/$1" 2>>"$LOG"
}

step_exchange() {
    local before
    before="$(version_before)"
    note_trial "$before"
    [ -n "$DRY_RUN" ] || mind_the_way_back "$before"
    put_version "$VENV"
    switch_to "$VERSION"
    if start_anew; then
        end_trial
        watch_wishes
        remove_old_versions "$before"
        return 0
    fi
    go_back "$before" "version $VERSION was not healthy within $HEALTHY_WITHIN_S s"
}

# Units, device rules and the command of a version in the places of those of another.
put_version() {
    local kept="$1/systemd"
    [ -z "$DRY_RUN" ] || kept="$SOURCE/systemd"
    install_units "$kept"
    remove_strange_units "$kept"
    [ ! -f "$1/command" ] || put "$1/command" "$ROOT/usr/local/bin/faceedge" 0755
}

# On disk, so that a run after a power cut knows where to go back to.
note_trial() {
    [ ! -e "$OPT/.trial" ] || return 0
    [ -n "$DRY_RUN" ] || printf '%s' "$1" >"$OPT/.trial.new"
    run sync "$OPT/.trial.new"
    run mv "$OPT/.trial.new" "$OPT/.trial"
}

# Until the trial has ended, whatever ends this script goes back first.
mind_the_way_back() {
    local signal
    WAY_BACK="$1"
    trap 'go_back "$WAY_BACK" "the exchange did not come to its end"' EXIT
    for signal in HUP INT TERM PIPE; do
        # shellcheck disable=SC2064  # the signal of now
        trap "broken_off $signal" "$signal"
    done
}

# Nobody reads what is said to a terminal or a pipe that is gone, and saying it would be an error.
broken_off() {
    case "$1" in HUP | PIPE) exec >>"$LOG" 2>&1 ;; esac
    fail "SIG$1 came" "run the same command again"
}

end_trial() {
    trap - EXIT HUP INT TERM PIPE
    run rm -f "$OPT/.trial"
}

# go_back VERSION WHY: program, units and command of the version before; databases stay as they are. Nothing that fails
# in here keeps the next step from being tried.
go_back() {
    local how="runs again"
    trap - EXIT ERR
    trap '' HUP INT TERM PIPE
    set +e
    say "  $2: back to $1"
    [ -d "$OPT/$1/bin" ] || fail "$2, and version $1 is gone" "$(remedy_of_service)"
    # What the bad version did is not held against the one before: its ends would count towards a safe mode.
    run systemctl stop faceedge.service
    run rm -f "$ROOT/var/lib/faceedge/starts.json"
    switch_to "$1"
    (put_version "$OPT/$1") || how="runs again, but not with all of its own units"
    { start_anew && [ "$(current_version)" = "$1" ]; } || how="does not run well either"
    end_trial
    fail "$2; version $1 $how" "people, keys and journal are as they were; journalctl -u faceedge says what was wrong"
}

# Units that a version of ours has brought and this one does not have.
remove_strange_units() {
    local unit
    for unit in $(our_units); do
        if [ -f "$UNIT_DIR/$unit" ] && [ ! -f "$1/$unit" ]; then
            stop_unit "$unit"
            run rm -f "$UNIT_DIR/$unit"
        fi
    done
    run_or_tell "systemd does not take the units" "see the log" systemctl daemon-reload
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
