#!/usr/bin/env bash
# A folder for `flash_setup.sh --offline DIR`: wheels of faceedge and of all it needs, made where there is a network and
# the same Python and processor as on the device, so for a Jetson on a Jetson; networks of the catalogue, and packages.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
PYTHON="${PYTHON:-python3}"
EXTRAS=cpu
# shellcheck source=scripts/setup/board.sh
source "$HERE/setup/board.sh"
# shellcheck source=scripts/setup/packages.sh
source "$HERE/setup/packages.sh"
FROM=""
DEBS=""

usage() {
    cat <<'TEXT'
usage: scripts/make_offline.sh DIR [--jetson] [--opencv FOLDER] [--debs]

  --jetson          pycuda and jetson-stats, too; CUDA must be there
  --opencv FOLDER   files of YuNet and SFace that were downloaded, for --models opencv
  --debs            the packages of the system that this machine has not installed, for the same release
$PYTHON names the Python that the wheels are for (default: python3).
TEXT
    exit "${1:-0}"
}

parse() {
    [ $# -ge 1 ] && [[ "$1" != -* ]] || usage 2
    TARGET="$1"
    shift
    while [ $# -gt 0 ]; do
        case "$1" in
        --jetson) EXTRAS=jetson,cpu ;;
        --debs) DEBS=1 ;;
        --opencv) FROM="${2:?--opencv needs a folder}" && shift ;;
        *) usage 2 ;;
        esac
        shift
    done
}

# In an environment of its own, so that nothing of this machine gets in.
make_wheels() {
    local scratch
    scratch="$(mktemp -d)"
    # shellcheck disable=SC2064  # the folder of now
    trap "rm -rf '$scratch'" EXIT
    "$PYTHON" -m venv "$scratch/venv"
    # The source is copied: building leaves files beside it.
    mkdir "$scratch/source"
    (cd "$HERE/.." && tar -c --exclude=__pycache__ setup.cfg pyproject.toml README.md faceedge engines calibration) |
        tar -x -C "$scratch/source"
    rm -f "$TARGET"/wheels/faceedge-*.whl
    PATH="/usr/local/cuda/bin:$PATH" "$scratch/venv/bin/python" -m pip wheel --disable-pip-version-check --no-input \
        --constraint "$(constraints)" --wheel-dir "$TARGET/wheels" "$scratch/source[$EXTRAS]"
}

take_debs() {
    local jetson=""
    [ "$EXTRAS" = cpu ] || jetson="$NEEDED_JETSON $WANTED_JETSON"
    mkdir -p "$TARGET/debs/partial"
    # shellcheck disable=SC2086  # one word a package
    apt-get install -y --download-only --no-install-recommends -o Dir::Cache::archives="$(realpath "$TARGET/debs")" \
        $NEEDED $WANTED mosquitto $jetson
    rm -rf "$TARGET/debs/partial" "$TARGET/debs/lock"
}

parse "$@"
mkdir -p "$TARGET/wheels"
# shellcheck disable=SC2034  # read by constraints
PYTHON_TAG="$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
make_wheels
[ -z "$FROM" ] || { mkdir -p "$TARGET/models" && cp "$FROM"/*.onnx "$TARGET/models/"; }
[ -z "$DEBS" ] || take_debs
echo "$TARGET is ready: flash_setup.sh --offline $TARGET"
