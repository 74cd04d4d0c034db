# shellcheck shell=bash
# shellcheck disable=SC2034  # read by the other pieces
# What this machine is: module, L4T and JetPack release, Python, and which version of faceedge is to be installed.

PLATFORM="" L4T="" MODULE="" RELEASE="" VERSION="" CONTENTS="" PYTHON_TAG=""

detect_board() {
    MODULE="$(read_module)"
    L4T="$(read_l4t)"
    PYTHON_TAG="$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)"
    if [ -n "$SIMULATE" ]; then
        PLATFORM="simulated, networks on the CPU"
    else
        PLATFORM="${MODULE:-no Jetson}, L4T ${L4T:-unknown}"
    fi
}

is_jetson() {
    [ -z "$SIMULATE" ]
}

# As the device tree says it, as in `NVIDIA Jetson Orin Nano Developer Kit`; its text ends with a NUL.
read_module() {
    local file="$ROOT/proc/device-tree/model"
    [ -r "$file" ] || return 0
    tr -d '\0' <"$file"
}

# `36.4.3`, from `# R36 (release), REVISION: 4.3, …`.
read_l4t() {
    local file="$ROOT/etc/nv_tegra_release"
    [ -r "$file" ] || return 0
    sed -nE '1s/^# R([0-9]+) \(release\), REVISION: ([0-9.]+).*/\1.\2/p' "$file"
}

# jetpack L4T: the name of the release; nothing where it is unknown.
jetpack() {
    case "$1" in
    3[2-4].* | 35.*) echo "JetPack 5 or older" ;;
    36.[0-3] | 36.[0-3].*) echo "JetPack 6.0" ;;
    36.4 | 36.4.[0-2]) echo "JetPack 6.1" ;;
    36.4.*) echo "JetPack 6.2" ;;
    36.*) echo "JetPack 6.2.2 or later" ;;
    38.*) echo "JetPack 7.0 or 7.1" ;;
    39.[01] | 39.[01].*) echo "JetPack 7.1 or older" ;;
    39.*) echo "JetPack 7.2 or later" ;;
    esac
}

# The release that is to run, of the wheel in the offline folder, else of the source beside this script; and its
# version, which is the folder that it is installed in.
find_version() {
    if [ -n "$OFFLINE" ]; then
        RELEASE="$(wheel_version)"
    else
        RELEASE="$(sed -nE 's/^__version__ = "([^"]+)"$/\1/p' "$SOURCE/faceedge/__init__.py")"
    fi
    [[ "$RELEASE" =~ ^[0-9][0-9A-Za-z.+]*$ ]] || fail "no version of faceedge in ${OFFLINE:-$SOURCE}" \
        "make the folder with scripts/make_offline.sh, or take a whole checkout of faceedge"
    OPT="$ROOT/opt/faceedge"
    CONTENTS="$(contents)" || fail "$SOURCE cannot be read" "take a whole checkout of faceedge"
    VERSION="$(folder_of_release)"
    VENV="$OPT/$VERSION"
}

# A release has one folder. Another state of it, as after a `git pull`, has one beside that, and only --upgrade asks for it.
folder_of_release() {
    local folder now
    now="$(current_version)"
    if [ -z "$UPGRADE" ]; then
        case "$now" in
        "$RELEASE"-*) printf '%s' "$now" ;;
        *) printf '%s' "$RELEASE" ;;
        esac
        return 0
    fi
    for folder in "$OPT/$RELEASE" "$OPT/$RELEASE"-*; do
        if holds_contents "$folder"; then
            printf '%s' "${folder##*/}"
            return 0
        fi
    done
    if [ -e "$OPT/$RELEASE/.complete" ]; then printf '%s' "$RELEASE-$CONTENTS"; else printf '%s' "$RELEASE"; fi
}

# Whether that folder is whole, and was made of the very files that would be installed now.
holds_contents() {
    [ "$(cat "$1/.complete" 2>/dev/null)" = "$CONTENTS" ]
}

# Twelve digits that are others as soon as one file is.
contents() {
    local parts=(systemd scripts/setup/faceedge scripts/constraints-jp6.txt scripts/constraints-jp7.txt)
    [ -n "$OFFLINE" ] || parts+=(faceedge engines calibration setup.cfg pyproject.toml)
    {
        (cd "$SOURCE" && find "${parts[@]}" -type f ! -path '*/__pycache__/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
        [ -z "$OFFLINE" ] || sha256sum <"$OFFLINE/wheels/faceedge-$RELEASE-py3-none-any.whl"
    } | sha256sum | cut -c -12
}

wheel_version() {
    local wheels=("$OFFLINE"/wheels/faceedge-*-py3-none-any.whl) name
    [ ${#wheels[@]} -eq 1 ] && [ -f "${wheels[0]}" ] || return 0
    name="${wheels[0]##*/faceedge-}"
    printf '%s' "${name%-py3-none-any.whl}"
}

# The version that `current` points to; nothing before the first.
current_version() {
    local target
    target="$(readlink "$OPT/current" 2>/dev/null)" || return 0
    printf '%s' "${target##*/}"
}

# Pins of Python packages: JetPack 6 has Python 3.10, JetPack 7 has 3.12; others take the newer ones.
constraints() {
    case "$PYTHON_TAG" in
    3.10) echo "$HERE/constraints-jp6.txt" ;;
    *) echo "$HERE/constraints-jp7.txt" ;;
    esac
}
