# shellcheck shell=bash
# Packages of the system. Needed ones end the run when they cannot be had, wanted ones are named.

NEEDED="python3-venv ca-certificates"
NEEDED_JETSON="python3-libnvinfer python3-dev g++"
WANTED="libgstreamer-plugins-base1.0-0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
    mosquitto-clients"
WANTED_JETSON="nvidia-l4t-gstreamer"
APT_GET=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=600)

step_packages() {
    local needed wanted
    needed="$(needed_packages | missing_packages)"
    wanted="$(wanted_packages | missing_packages)"
    if [ -n "$needed$wanted" ] && [ -n "$OFFLINE" ]; then
        install_debs
        needed="$(needed_packages | missing_packages)"
        wanted="$(wanted_packages | missing_packages)"
        [ -z "$needed" ] || fail "packages are missing: $(one_line "$needed")" \
            "put their .deb files into $OFFLINE/debs, or run it once without --offline"
        [ -z "$wanted" ] || warn "not installed, as there is no network: $(one_line "$wanted")"
    elif [ -n "$needed$wanted" ]; then
        apt_install "$needed" "$wanted"
    fi
}

needed_packages() {
    tr -s ' \n' '\n' <<<"$NEEDED"
    is_jetson || return 0
    tr -s ' \n' '\n' <<<"$NEEDED_JETSON"
    has_cuda || echo nvidia-jetpack
}

# A broker of its own only where the doors' broker is to be on this machine.
wanted_packages() {
    tr -s ' \n' '\n' <<<"$WANTED"
    ! is_jetson || echo "$WANTED_JETSON"
    case "$BROKER" in
    "" | *://127.* | *://localhost*) [ -e "$(config_file)" ] || echo mosquitto ;;
    esac
}

# Of the names on stdin those that are not installed.
missing_packages() {
    local package
    while read -r package; do
        [ -n "$package" ] || continue
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

install_debs() {
    local debs=("$OFFLINE"/debs/*.deb)
    [ -f "${debs[0]}" ] || return 0
    run_or_tell "the packages of $OFFLINE/debs cannot be installed" "see what apt says above" \
        env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-download --no-install-recommends -o DPkg::Lock::Timeout=600 "${debs[@]}"
}

# apt_install NEEDED WANTED
apt_install() {
    run_or_tell "apt-get update failed" "check the network, and /etc/apt/sources.list" apt-get update -q
    # A board that was just switched on may be busy with updates of its own.
    # shellcheck disable=SC2086  # one word a package
    [ -z "$1" ] || run_or_tell "packages cannot be installed" \
        "see what apt says above; dpkg --configure -a mends an interrupted run" "${APT_GET[@]}" $1
    local package
    for package in $2; do
        run "${APT_GET[@]}" "$package" || warn "not installed: $package; the log says why"
    done
}

one_line() {
    tr -s ' \n' ' ' <<<"$1"
}
