# shellcheck shell=bash
# shellcheck disable=SC2034  # read by the other pieces
# The command line.

CAMERA="" LOOP="" BROKER="" BROKER_CA="" BROKER_PIN="" BROKER_USER="" BROKER_PASSWORD_FILE="" DOOR="" DEVICE=""
MODELS=default PEOPLE="" CONTROLLER=paper SELFTEST=1 OFFLINE="" HARDWARE_WATCHDOG=""
SIMULATE="" DRY_RUN="" YES="" UPGRADE="" UNINSTALL="" PURGE=""
GIVEN=()

usage() {
    cat <<'TEXT'
usage: sudo scripts/flash_setup.sh [options]

Takes a Jetson Orin with JetPack 6.1+ or 7.2+ to a running door. Asks for what no option says. Run again it changes
nothing that is as it should be; interrupted, it goes on where it was. Log: /var/log/faceedge-setup.log

the door
  --camera URI          /dev/video0, csi:0, rtsp://…, file:clip.mp4
  --loop                play a file over and over
  --broker URL          mqtt://host:port or mqtts://host:port (default: mqtt://127.0.0.1:1883)
  --broker-ca FILE      certificate that signed the broker's; or, good whatever the clock says,
  --broker-pin HEX      SHA-256 of the broker's own certificate
  --broker-user NAME, --broker-password-file FILE
  --door NAME           (default: main)
  --device NAME         name of this device in topics (default: faceedge)
  --controller HOW      paper: the key stays in a file for you to carry; serial:/dev/ttyUSB0: written to that line;
                        qr: drawn here; here: the controller runs on this machine, without a relay (default: paper)
  --models WHICH        default; opencv: YuNet and SFace; none; or files of your own, ONNX or packages, with commas
  --people DIR          enrol DIR/<name>/<photo>.jpg, each of them once
  --selftest MINUTES    or skip (default: 1)
  --hardware-watchdog   let the board's own watchdog reboot it when systemd hangs

how
  --simulate            any Debian or Ubuntu machine, networks on the CPU
  --offline DIR         take wheels, models and packages from here; scripts/make_offline.sh makes it
  --upgrade             exchange the version; the one before returns when the new one is not healthy within 60 s
  --uninstall [--purge] remove it; with --purge people, keys, journal and configuration, too
  --dry-run             show what would be done
  --yes                 ask nothing
  --log FILE            another log
TEXT
}

bad_option() {
    echo "flash_setup: $1; see --help" >&2
    exit 2
}

# value NAME "$@" of what is left: its second word.
value() {
    { [ $# -ge 2 ] && [ -n "$2" ] && [[ "$2" != --* ]]; } || bad_option "$1 needs a value"
    printf '%s' "$2"
}

parse_options() {
    GIVEN=("$@")
    while [ $# -gt 0 ]; do
        case "$1" in
        -h | --help) usage && exit 0 ;;
        --loop) LOOP=1 ;;
        --hardware-watchdog) HARDWARE_WATCHDOG=1 ;;
        --simulate) SIMULATE=1 ;;
        --upgrade) UPGRADE=1 ;;
        --uninstall) UNINSTALL=1 ;;
        --purge) PURGE=1 ;;
        --dry-run) DRY_RUN=1 ;;
        --yes | -y) YES=1 ;;
        --*)
            take_value "$@"
            shift
            ;;
        *) bad_option "what is \"$1\"?" ;;
        esac
        shift
    done
    check_options
}

take_value() {
    local word
    word="$(value "$@")" || exit 2
    case "$1" in
    --camera) CAMERA="$word" ;;
    --broker) BROKER="$word" ;;
    --broker-ca) BROKER_CA="$word" ;;
    --broker-pin) BROKER_PIN="$word" ;;
    --broker-user) BROKER_USER="$word" ;;
    --broker-password-file) BROKER_PASSWORD_FILE="$word" ;;
    --door) DOOR="$word" ;;
    --device) DEVICE="$word" ;;
    --controller) CONTROLLER="$word" ;;
    --models) MODELS="$word" ;;
    --people) PEOPLE="$word" ;;
    --selftest) SELFTEST="$word" ;;
    --offline) OFFLINE="$word" ;;
    --log) LOG="$word" ;;
    *) bad_option "no option $1" ;;
    esac
}

check_options() {
    [ -z "$PURGE" ] || [ -n "$UNINSTALL" ] || bad_option "--purge goes with --uninstall"
    [ -z "$UPGRADE" ] || [ -z "$UNINSTALL" ] || bad_option "--upgrade and --uninstall are two wishes"
    [ -z "$OFFLINE" ] || [ -d "$OFFLINE" ] || bad_option "--offline $OFFLINE: no such folder"
    [ -z "$PEOPLE" ] || [ -d "$PEOPLE" ] || bad_option "--people $PEOPLE: no such folder"
    local file
    for file in "$BROKER_CA" "$BROKER_PASSWORD_FILE"; do
        [ -z "$file" ] || [ -f "$file" ] || bad_option "$file: no such file"
    done
    [[ "$SELFTEST" =~ ^(skip|[0-9]+(\.[0-9]+)?)$ ]] || bad_option "--selftest is a number of minutes, or skip"
    [[ "$CONTROLLER" =~ ^(paper|qr|here|serial:/dev/.+)$ ]] || bad_option "--controller is paper, qr, here or serial:/dev/…"
    for file in DOOR DEVICE; do
        [[ "${!file}" =~ ^([a-z0-9][a-z0-9_-]{0,31})?$ ]] || bad_option "${!file}: names are up to 32 of a-z 0-9 _ -"
    done
    [ -z "$OFFLINE" ] || OFFLINE="$(cd "$OFFLINE" && pwd)"
}
