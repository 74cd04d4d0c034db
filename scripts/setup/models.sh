# shellcheck shell=bash
# Networks: the built-in ones, those of the catalogue, and ones own; each added and chosen once.

# The default networks are made now, so that the first start does not wait for them.
step_models() {
    local model
    case "$MODELS" in
    none) ;;
    default)
        take_made_models
        run_or_tell "the default networks cannot be made" "see the log; is there room in /var/cache?" as_service \
            "$VENV/bin/python" -I -c \
            'from faceedge import config; from faceedge.models.defaults import default_models as d; d(config.cache_dir())'
        ;;
    opencv)
        use_model yunet
        use_model sface
        ;;
    *) while read -r model; do use_own_model "$model"; done < <(tr ',' '\n' <<<"$MODELS") ;;
    esac
}

# Made before, on a machine with the same version; what does not fit is made anew.
take_made_models() {
    local made="$ROOT/var/cache/faceedge/models"
    if [ -d "$OFFLINE/cache/models" ] && [ ! -e "$made" ]; then
        stage "$OFFLINE/cache/models"
        run as_service cp -R "$STAGE/models" "$made"
        sweep
    fi
}

# use_model NAME: of the catalogue, from the network or the offline folder; chosen when it is not yet.
use_model() {
    local standing from=()
    standing="$(model_standing "$1")"
    [ "$standing" != active ] || return 0
    mark_changed
    if [ -z "$standing" ]; then
        if [ -n "$OFFLINE" ]; then
            stage "$OFFLINE/models"
            from=(--from "$STAGE/models")
        fi
        run_or_tell "the network $1 cannot be added" "check the network, or put its file into $OFFLINE/models" \
            product model add "$1" "${from[@]}"
        sweep
    fi
    run_or_tell "the network $1 cannot be chosen" "faceedge model verify $1 says more" product model activate "$1" --yes
}

# use_own_model SOURCE: a package folder, or an ONNX file of which the product knows the rest.
use_own_model() {
    local name flags=()
    [ -e "$1" ] || fail "$1: no such network" "name an ONNX file or a package folder with --models"
    name="$(own_name "$1")"
    [ -d "$1" ] || flags=(--name "$name")
    [ "$(model_standing "$name")" != active ] || return 0
    mark_changed
    if [ -z "$(model_standing "$name")" ]; then
        stage "$1"
        run_or_tell "the network $1 cannot be added" "docs/models.md; faceedge model add has more options" \
            product model add "$STAGE/$(basename "$1")" "${flags[@]}"
        sweep
    fi
    run_or_tell "the network $name cannot be chosen" "faceedge model verify $name says more" \
        product model activate "$name" --yes
}

# A package says its name itself; a file gives it its own.
own_name() {
    if [ -d "$1" ]; then sed -nE 's/^name *= *"(.*)"$/\1/p' "$1/model.toml"; else basename "$1" .onnx; fi
}

# active, another word, or nothing when there is no such package.
model_standing() {
    [ -z "$DRY_RUN" ] || return 0
    product model list --json 2>>"$LOG" | from_json "next((m['standing'] or 'there' for m in found['models']
        if m['package'].partition('@')[0] == sys.argv[2]), '')" "$1"
}

# from_json EXPRESSION WORDS…: what the expression makes of the document on stdin, called `found`.
from_json() {
    "$VENV/bin/python" -I -c 'import json, sys; found = json.load(sys.stdin); print(eval(sys.argv[1]))' "$@"
}

# A copy that the service's user may read, in a folder that it cannot change; gone at the end.
stage() {
    STAGE="$OPT/.stage"
    run rm -rf "$STAGE"
    run install -d -o root -g faceedge -m 0750 "$STAGE"
    run cp -R "$1" "$STAGE/"
    run chgrp -R faceedge "$STAGE"
    run chmod -R g+rX,o-rwx "$STAGE"
}

# Photos and networks that an interrupted run has left.
sweep() {
    [ ! -e "$OPT/.stage" ] || run rm -rf "$OPT/.stage"
}
