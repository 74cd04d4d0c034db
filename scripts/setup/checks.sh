# shellcheck shell=bash
# Before anything is changed: whether this machine can become a door. Nothing here writes.

NEEDED_GB=4      # Python packages of two versions, models, engines, the journal of years
JETPACK_GB=14    # with CUDA and TensorRT, where they are not there yet: a choice, to be measured on a board
OLDEST_YEAR=2026 # a clock before that would refuse every certificate

check_root() {
    [ "$(id -u)" -eq 0 ] || [ -n "$DRY_RUN" ] || fail "only root may install" "run it with sudo"
}

check_board() {
    [ -n "$PYTHON_TAG" ] || fail "no python3" "apt-get install python3"
    if ! is_jetson; then
        command -v apt-get >/dev/null || fail "this is neither Debian nor Ubuntu" "take a machine with apt-get"
        [[ "$PYTHON_TAG" =~ ^3\.1[0-9]$ ]] || fail "Python $PYTHON_TAG; faceedge needs 3.10 or newer" "take a newer release"
        return 0
    fi
    [ -n "$MODULE" ] || fail "this is no Jetson" "add --simulate to try it on any Debian or Ubuntu machine"
    case "$MODULE" in
    *Orin*) ;;
    *) grep -qz 'tegra234' "$ROOT/proc/device-tree/compatible" 2>/dev/null ||
        fail "$MODULE is no Jetson Orin" "faceedge runs on Orin Nano, Orin NX and AGX Orin; --simulate runs it on the CPU" ;;
    esac
}

check_release() {
    is_jetson || return 0
    local name update="flash JetPack 6.2.2 or later, or 7.2 or later, with the SDK Manager"
    name="$(jetpack "$L4T")"
    case "$name" in
    "") fail "L4T ${L4T:-cannot be read from /etc/nv_tegra_release}: no release that faceedge knows" "$update" ;;
    "JetPack 5"* | "JetPack 6.0" | "JetPack 7.0"* | "JetPack 7.1"*)
        fail "$name (L4T $L4T) is too old or not for Orin: faceedge needs Python 3.10 and TensorRT 10.3" "$update"
        ;;
    esac
    if [ "$L4T" = 36.4.7 ]; then
        fail "L4T 36.4.7 has the memory fault: large allocations of the GPU fail although memory is free" \
            "sudo apt-get update && sudo apt-get dist-upgrade to L4T 36.5 (JetPack 6.2.2) or later, reboot, run this again"
    fi
}

check_version() {
    local now
    now="$(current_version)"
    if [ -z "$now" ]; then
        [ -z "$UPGRADE" ] || fail "there is nothing to upgrade" "run it without --upgrade first"
    elif [ "$now" != "$VERSION" ] && [ -z "$UPGRADE" ] && [ ! -e "$OPT/.trial" ]; then
        fail "version $now is installed, this is $VERSION" "add --upgrade: it returns when the new one is not healthy"
    elif [ -z "$UPGRADE" ] && [ -e "$VENV/.complete" ] && ! holds_contents "$VENV"; then
        warn "the $RELEASE that is installed is not the very one of ${OFFLINE:-$SOURCE}; --upgrade exchanges it"
    fi
}

# The free space of where a path lies, or will lie, in GB.
free_gb() {
    local folder="$1"
    while [ ! -d "$folder" ]; do folder="$(dirname "$folder")"; done
    df -Pk "$folder" | awk 'NR == 2 { print int($4 / 1048576) }'
}

check_disk() {
    local folder needed="$NEEDED_GB" free
    has_cuda || needed="$JETPACK_GB"
    [ ! -e "$VENV/.complete" ] || needed=1
    for folder in "$ROOT/opt" "$ROOT/var/lib"; do
        free="$(free_gb "$folder")"
        [ "$free" -ge "$needed" ] || fail "$folder has $free GB free, $needed are needed" \
            "make room, as with apt-get clean, or move the system to an NVMe drive"
    done
}

has_cuda() {
    ! is_jetson || [ -x "$ROOT/usr/local/cuda/bin/nvcc" ]
}

check_clock() {
    if [ "$(date +%Y)" -lt "$OLDEST_YEAR" ] && [ -z "$OFFLINE" ]; then
        fail "the clock says $(date +%F): no download would be trusted" \
            "connect the network and wait for the time, or set it: timedatectl set-time '2026-11-21 12:00'"
    fi
    [ "$(timedatectl show -p NTPSynchronized --value 2>/dev/null)" = yes ] ||
        warn "the clock is not synchronised: rules with hours refuse until it is ([clock] require_sync)"
}

check_power() {
    is_jetson || return 0
    local mode
    mode="$(nvpmodel -q 2>/dev/null | sed -n 's/^NV Power Mode: *//p')" || true
    if [ -n "$mode" ]; then
        say "  power mode: $mode; faceedge-power.service chooses the one that engines are built for"
    else
        warn "nvpmodel does not tell the power mode"
    fi
}

check_memory() {
    local kb
    kb="$(sed -nE 's/^MemTotal: +([0-9]+) kB/\1/p' "$ROOT/proc/meminfo" 2>/dev/null)" || true
    [ -z "$kb" ] || [ "$kb" -ge 1500000 ] || warn "$((kb / 1024)) MB of memory is little: take small networks"
}

# Cameras of this machine must be there; one of the network may be switched on later.
check_camera() {
    [ -e "$(config_file)" ] || ask_for_the_door
    case "$CAMERA" in
    "") ;;
    /dev/*) [ -e "$ROOT$CAMERA" ] || no_camera "$CAMERA: no such device" ;;
    [0-9] | [0-9][0-9]) [ -e "$ROOT/dev/video$CAMERA" ] || no_camera "/dev/video$CAMERA: no such device" ;;
    csi:*) [ -e "$ROOT/dev/video${CAMERA#csi:}" ] || no_camera "$CAMERA: no such sensor" ;;
    file:* | images:*) check_film "${CAMERA#*:}" ;;
    rtsp://* | rtsps://*) check_network_camera ;;
    esac
}

check_film() {
    [ -r "$1" ] || fail "$1: no such file" "name another with --camera"
    case "$(realpath "$1")" in
    /home/* | /root/* | /tmp/*) fail "$1: the service does not see /home, /root and /tmp" "copy it to /srv and name that" ;;
    esac
}

no_camera() {
    fail "$1" "plug the camera in, see which there are with: ls /dev/video*, and name it with --camera"
}

# The address may hold a password, so it is neither said nor logged.
check_network_camera() {
    local host port
    host="${CAMERA#*://}"
    host="${host%%/*}"
    host="${host##*@}"
    port=554
    [[ "$host" =~ ^(.+):([0-9]+)$ ]] && host="${BASH_REMATCH[1]}" port="${BASH_REMATCH[2]}"
    # shellcheck disable=SC2016  # expanded by that bash, so that no address is taken for a command
    timeout 3 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$host" "$port" 2>/dev/null ||
        warn "the camera at $host port $port does not answer; the daemon will try until it does"
}
