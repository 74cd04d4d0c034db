# shellcheck shell=bash
# The people of --people, each enrolled once: whoever an operator has removed since stays removed.

# What it says holds names: for the terminal, not for the log.
step_people() {
    local folders
    [ -n "$PEOPLE" ] || return 0
    if [ -n "$DRY_RUN" ]; then
        say "  would enrol everybody in $PEOPLE who has not been before"
        return 0
    fi
    stage "$PEOPLE"
    folders="$STAGE/$(basename "$PEOPLE")"
    leave_out_known "$folders"
    if compgen -G "$folders/*/" >/dev/null; then
        product enroll --folder "$folders" </dev/null ||
            warn "not everybody was enrolled, as said above; faceedge enroll adds them later"
        note_enrolled "$folders"
    fi
    sweep
}

# Not by `run`, which would log their names.
leave_out_known() {
    local folder
    for folder in "$1"/*/; do
        folder="${folder%/}"
        ! is_known "${folder##*/}" || rm -rf "$folder"
    done
}

is_known() {
    [ -e "$OPT/.people" ] && grep -qx "$(mark_of "$1")" "$OPT/.people"
}

# Names stay unreadable in there: a person who is removed leaves none behind.
mark_of() {
    local salt
    read -r salt <"$OPT/.people"
    printf '%s\0%s' "$salt" "$1" | sha256sum | cut -d ' ' -f 1
}

# Those of the folders who are in the gallery now.
note_enrolled() {
    local names folder
    if [ ! -e "$OPT/.people" ]; then
        (umask 077 && cat /proc/sys/kernel/random/uuid >"$OPT/.people.new")
        run mv "$OPT/.people.new" "$OPT/.people"
    fi
    names="$(product people list --json 2>>"$LOG" | from_json "'\n'.join(p['name'] for p in found['people'])")" ||
        fail "the people cannot be listed" "faceedge people list says why"
    for folder in "$1"/*/; do
        folder="${folder%/}"
        if [[ $'\n'"$names"$'\n' == *$'\n'"${folder##*/}"$'\n'* ]]; then mark_of "${folder##*/}" >>"$OPT/.people"; fi
    done
}
