# shellcheck shell=bash
# The virtual environment of a version, pycuda built for the board, and the link that says which version runs.
# All of it belongs to root: the service can read its program and never change it.

# A version is whole when its stamp is there; what an interrupted run left is removed and made anew.
step_python() {
    [ ! -e "$VENV/.complete" ] || return 0
    prepare_venv
    ! is_jetson || build_pycuda
    install_product
    keep_units
    [ -n "$DRY_RUN" ] || printf '%s\n' "$CONTENTS" >"$VENV/.contents"
    run mv "$VENV/.contents" "$VENV/.complete"
    run sync -f "$VENV"
}

prepare_venv() {
    run rm -rf "$VENV"
    run mkdir -p "$OPT"
    run_or_tell "python3 -m venv failed" "apt-get install python3-venv" \
        python3 -m venv --system-site-packages "$VENV"
}

# All dependencies go into the environment, also those that the system has: the system's OpenCV and its like are built
# for an older NumPy.
install_product() {
    local what
    what="[$(extras)]"
    if [ -n "$OFFLINE" ]; then
        what="faceedge$what==$RELEASE"
    else
        copy_source "$OPT/.source"
        what="$OPT/.source$what"
    fi
    run_or_tell "Python packages cannot be installed" "$(remedy_of_pip)" \
        pip install --ignore-installed "$what"
    run rm -rf "$OPT/.source"
}

# Built in a copy: what an earlier build has left beside the source would get in, and this one would leave its own.
copy_source() {
    run rm -rf "$1"
    run mkdir -p "$1"
    run cp -R "$SOURCE"/{setup.cfg,pyproject.toml,README.md,faceedge,engines,calibration} "$1/"
}

extras() {
    if is_jetson; then echo "jetson,cpu"; else echo "cpu"; fi
}

pip() {
    local verb="$1"
    shift
    pip_flags
    "$VENV/bin/python" -m pip "$verb" "${FLAGS[@]}" "$@"
}

# In FLAGS: what pip is told each time.
pip_flags() {
    FLAGS=(--no-input --disable-pip-version-check --constraint "$(constraints)")
    [ ! -d "$OPT/wheels" ] || FLAGS+=(--find-links "$OPT/wheels")
    [ -z "$OFFLINE" ] || FLAGS+=(--no-index --find-links "$OFFLINE/wheels")
}

remedy_of_pip() {
    if [ -n "$OFFLINE" ]; then
        echo "make $OFFLINE anew with scripts/make_offline.sh on a machine with Python $PYTHON_TAG and $(uname -m)"
    else
        echo "check the network and the clock; see the log for what pip says"
    fi
}

# pycuda has no wheels: it is compiled against the board's CUDA, and the wheel is kept for the next version. Without a
# network from its source in the offline folder.
build_pycuda() {
    # shellcheck disable=SC2034  # of whoever fails in here
    local STEP=pycuda cuda="$ROOT/usr/local/cuda"
    ! compgen -G "$OPT/wheels/pycuda-*.whl" >/dev/null || return 0
    [ -z "$OFFLINE" ] || ! compgen -G "$OFFLINE/wheels/pycuda-*.whl" >/dev/null || return 0
    run mkdir -p "$OPT/wheels"
    pip_flags
    run_or_tell "pycuda cannot be built" "$(remedy_of_pycuda)" env PATH="$cuda/bin:$PATH" CUDA_ROOT="$cuda" \
        "$VENV/bin/python" -m pip wheel "${FLAGS[@]}" --no-deps --wheel-dir "$OPT/wheels" pycuda
}

remedy_of_pycuda() {
    local nvcc="nvcc must lie in /usr/local/cuda/bin: apt-get install nvidia-jetpack g++ python3-dev"
    if [ -n "$OFFLINE" ]; then
        echo "make $OFFLINE anew with scripts/make_offline.sh --jetson, which puts its wheel in; or $nvcc"
    else
        echo "$nvcc"
    fi
}

# Which folders modules come from: our own from the environment, TensorRT from JetPack.
step_modules() {
    local module from
    [ -z "$DRY_RUN" ] || return 0
    for module in numpy cv2 pydantic onnxruntime; do
        from="$(module_file "$module")"
        [[ "$from" == "$VENV"/* ]] || fail "$module comes from ${from:-nowhere}, not from $VENV" \
            "remove $VENV and run this again; PYTHONPATH must not be set"
    done
    is_jetson || return 0
    for module in tensorrt pycuda; do
        [ -n "$(module_file "$module")" ] || fail "Python finds no $module" \
            "tensorrt: apt-get install --reinstall python3-libnvinfer; pycuda: remove $OPT/wheels and $VENV, run this again"
    done
}

module_file() {
    "$VENV/bin/python" -I -c \
        'import importlib.util as u, sys; s = u.find_spec(sys.argv[1]); print(s.origin if s else "")' "$1" 2>/dev/null || true
}

# The new link appears beside, and takes the place of the old one in one step.
switch_to() {
    [ "$(current_version)" != "$1" ] || return 0
    mark_changed
    run ln -sfn "$1" "$OPT/.current.new"
    run mv -T "$OPT/.current.new" "$OPT/current"
    run sync -f "$OPT"
}

step_switch() {
    switch_to "$VERSION"
}
