# shellcheck shell=bash
# Words for whoever installs, the log, commands that are logged, and ends that name their step and their remedy.

open_log() {
    [ -z "$DRY_RUN" ] || return 0
    if ! { mkdir -p "$(dirname "$LOG")" && (umask 027 && : >>"$LOG"); } 2>/dev/null; then
        echo "flash_setup: $LOG cannot be written; run it with sudo, or name another file with --log" >&2
        exit 1
    fi
    note "begin: $(shown "${0##*/}" "${GIVEN[@]}")"
}

note() {
    [ -z "$DRY_RUN" ] || return 0
    masked "$*"
    TZ=UTC printf '%(%FT%TZ)T %s\n' -1 "$MASKED" >>"$LOG"
}

# In MASKED: the text without what stands before the last @ of an address, or behind its question mark. A space that is
# quoted does not end one.
masked() {
    local rest="$1" word
    MASKED=""
    while [[ "$rest" == *://* ]]; do
        MASKED+="${rest%%://*}://"
        [[ "${rest#*://}" =~ ^((\\.|[^\\\ ])*)(.*)$ ]]
        word="${BASH_REMATCH[1]}" rest="${BASH_REMATCH[3]}"
        [[ "$word" != *@* ]] || word="***@${word##*@}"
        [[ "$word" != *\?* ]] || word="${word%%\?*}?***"
        MASKED+="${word%\\}"
    done
    MASKED+="$rest"
}

say() {
    printf '%s\n' "$*"
    note "$*"
}

warn() {
    printf '  note: %s\n' "$*" >&2
    note "note: $*"
}

# fail WHAT REMEDY: the end of this run; the next one begins where this one stopped.
fail() {
    printf 'flash_setup: step "%s" failed: %s\n  remedy: %s\n' "$STEP" "$1" "$2" >&2
    if [ -z "$DRY_RUN" ]; then
        note "step \"$STEP\" failed: $1; remedy: $2"
        printf '  log: %s; run the same command again to go on\n' "$LOG" >&2
    fi
    exit 1
}

unforeseen() {
    trap - ERR
    fail "\`$2\` ended with code $1" "see the last lines of the log"
}

# A command as it could be typed.
shown() {
    local words
    printf -v words '%q ' "$@"
    printf '%s' "${words% }"
}

# Runs a command with its output in the log; with --dry-run only shows it.
run() {
    if [ -n "$DRY_RUN" ]; then
        printf '  would run: %s\n' "$(shown "$@")"
        return 0
    fi
    note "+ $(shown "$@")"
    "$@" </dev/null >>"$LOG" 2>&1
}

# run_or_tell WHAT REMEDY COMMAND…: as run; a failure shows the end of what the command said.
run_or_tell() {
    local what="$1" remedy="$2" before=0
    shift 2
    [ -n "$DRY_RUN" ] || before=$(wc -l <"$LOG")
    if run "$@"; then return 0; fi
    tail -n "+$((before + 2))" "$LOG" | tail -n 5 | sed 's/^/  | /' >&2
    fail "$what" "$remedy"
}

# ask QUESTION DEFAULT: the answer on stdout; the default where nobody can be asked.
ask() {
    local answer=""
    if [ -n "$YES$DRY_RUN" ] || [ ! -t 0 ]; then
        printf '%s' "$2"
        return 0
    fi
    read -r -p "$1${2:+ [$2]}: " answer
    printf '%s' "${answer:-$2}"
}

is_sure() {
    [ -z "$YES" ] || return 0
    case "$(ask "$1 Type yes" no)" in yes) return 0 ;; *) return 1 ;; esac
}

# Two of these at once would undo each other's work.
one_at_a_time() {
    [ -z "$DRY_RUN" ] || return 0
    mkdir -p "$ROOT/run"
    exec 9>"$ROOT/run/faceedge-setup.lock"
    flock -n 9 || fail "another flash_setup.sh is at work" "wait for it"
}
