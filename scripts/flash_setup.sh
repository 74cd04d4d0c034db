#!/usr/bin/env bash
# From a freshly flashed Jetson Orin to a running door: checks, packages, user, Python, units, configuration, networks,
# keys, service. May be run again and again, and goes on where it was interrupted. The pieces lie in scripts/setup/.
set -Eeuo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
SOURCE="$(dirname "$HERE")"
ROOT="${FACEEDGE_ROOT:-}" # tests put all of the machine's files below a folder of theirs
LOG="$ROOT/var/log/faceedge-setup.log"
STEP=begin

# shellcheck source=scripts/setup/say.sh
source "$HERE/setup/say.sh"
# shellcheck source=scripts/setup/options.sh
source "$HERE/setup/options.sh"
# shellcheck source=scripts/setup/board.sh
source "$HERE/setup/board.sh"
# shellcheck source=scripts/setup/checks.sh
source "$HERE/setup/checks.sh"
# shellcheck source=scripts/setup/packages.sh
source "$HERE/setup/packages.sh"
# shellcheck source=scripts/setup/python.sh
source "$HERE/setup/python.sh"
# shellcheck source=scripts/setup/files.sh
source "$HERE/setup/files.sh"
# shellcheck source=scripts/setup/site.sh
source "$HERE/setup/site.sh"
# shellcheck source=scripts/setup/people.sh
source "$HERE/setup/people.sh"
# shellcheck source=scripts/setup/models.sh
source "$HERE/setup/models.sh"
# shellcheck source=scripts/setup/service.sh
source "$HERE/setup/service.sh"
# shellcheck source=scripts/setup/exchange.sh
source "$HERE/setup/exchange.sh"
# shellcheck source=scripts/setup/uninstall.sh
source "$HERE/setup/uninstall.sh"

CHECKS="root board release disk clock power memory version camera"
INSTALL="packages python modules units folders switch config models people doors engines selftest service next"
UPGRADE_STEPS="packages python modules config_fits databases_fit exchange next"

# What each step says it is about to do; a line a step.
title() {
    case "$1" in
    packages) echo "system packages" ;;
    python) echo "Python environment in /opt/faceedge/$VERSION" ;;
    modules) echo "where Python finds its modules" ;;
    units) echo "user, groups, units, device rules" ;;
    folders) echo "folders and the command faceedge" ;;
    switch) echo "version $VERSION becomes the current one" ;;
    config) echo "configuration" ;;
    config_fits) echo "whether version $VERSION reads the configuration" ;;
    databases_fit) echo "whether there would be a way back from version $VERSION" ;;
    exchange) echo "exchange, watched for ${HEALTHY_WITHIN_S} s at most" ;;
    models) echo "networks" ;;
    people) echo "people" ;;
    doors) echo "keys of doors" ;;
    engines) echo "engines" ;;
    selftest) echo "self-test" ;;
    service) echo "service" ;;
    next) echo "what to do next" ;;
    esac
}

run_checks() {
    local check
    for check in $CHECKS; do
        STEP="check $check"
        attempt "check_$check"
    done
    say "checks: done ($PLATFORM)"
}

run_steps() {
    local step
    for step in "$@"; do
        STEP="$step"
        say "$step: $(title "$step")"
        attempt "step_$step"
    done
}

# With --dry-run a step that would fail says so, and the next one is shown all the same.
attempt() {
    if [ -z "$DRY_RUN" ]; then
        "$1"
    else
        ("$1") || true
    fi
}

main() {
    umask 022 # the service's user reads what root installs; what is secret gets a mode of its own
    parse_options "$@"
    trap 'unforeseen $? "$BASH_COMMAND"' ERR
    open_log
    if [ -n "$UNINSTALL" ]; then
        check_root
        uninstall
        return
    fi
    STEP=begin
    detect_board
    find_version
    run_checks
    one_at_a_time
    sweep
    if is_exchange; then
        # shellcheck disable=SC2086  # names of steps are single words
        run_steps $UPGRADE_STEPS
    else
        # shellcheck disable=SC2086
        run_steps $INSTALL
    fi
}

[ -n "${FACEEDGE_SETUP_SOURCED:-}" ] || main "$@"
