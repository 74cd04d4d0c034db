#!/bin/bash
# Stands in for every program that scripts/flash_setup.sh calls, by the name it is called by. FAKE is where the made-up
# machine keeps what it knows; FACEEDGE_ROOT is its disk. The call number KILL_AT pulls the plug.
name="${0##*/}"
real="/usr/bin/$name"

if [ -n "$KILL_AT" ]; then
    echo "$name" >>"$FAKE/calls"
    mapfile -t calls <"$FAKE/calls"
    [ "${#calls[@]}" -lt "$KILL_AT" ] || kill -9 0
fi
printf '%s %s\n' "$name" "$*" >>"$FAKE/log"

fails() { [[ " $FAILING " == *" $1 "* ]]; }

venv() { # DIR
    /bin/mkdir -p "$1/bin" "$1/lib"
    /bin/ln -s "$0" "$1/bin/python"
}

python() {
    case "$*" in
    "-m venv "*) venv "${!#}" ;;
    *sys.version_info*) echo "${FAKE_PYTHON:-3.10}" ;;
    *MIGRATIONS*)
        [ -e "${0%/bin/*}/steps" ] && cat "${0%/bin/*}/steps" && return
        [ -z "$FAKE_STEPS" ] || { printf '%b' "$FAKE_STEPS" && return; }
        exec "$REAL_PYTHON" "$@"
        ;;
    *importlib*) [[ "$FOREIGN" == "${!#}" ]] && echo "/usr/lib/python3/dist-packages/$FOREIGN" || echo "${0%/bin/*}/lib/${!#}" ;;
    *default_models*) /bin/mkdir -p "$FACEEDGE_ROOT/var/cache/faceedge/models" ;;
    "-m pip install "*) fails pip && exit 1; /bin/ln -s "$(/usr/bin/readlink "$0")" "${0%/*}/faceedge" ;;
    "-m pip wheel "*) fails pycuda && exit 1; : >"$FACEEDGE_ROOT/opt/faceedge/wheels/pycuda-2026.1-cp310.whl" ;;
    *) exec "$REAL_PYTHON" "$@" ;;
    esac
}

faceedge() {
    local state="$FACEEDGE_ROOT/var/lib/faceedge"
    case "$*" in
    "config new "*) echo written >"$FACEEDGE_ROOT/etc/faceedge/faceedge.toml" ;;
    "config check") ! fails config ;;
    "door list --json")
        [ -e "$state/keys/door-main.main.key" ] && fault=null || fault='"no key"'
        echo '{"controllers": [{"door": "main", "controller": "main", "named": true, "fault": '"$fault"'}]}'
        ;;
    "door add "*) /bin/mkdir -p "$state/keys" && echo secret >"$state/keys/door-main.main.key" ;;
    "model list --json")
        [ -e "$FAKE/models" ] || : >"$FAKE/models"
        printf '{"models": [%s {"package": "dlib-mmod@1", "standing": "active"}]}' "$(<"$FAKE/models")"
        ;;
    "model add "*) echo '{"package": "'"${3##*/}"'@1", "standing": null},' >>"$FAKE/models" ;;
    "model activate "*) /usr/bin/sed -i "s/\(\"$3@1\", \"standing\": \)null/\1\"active\"/" "$FAKE/models" ;;
    "people list --json") printf '{"people": [%s]}' "$(/usr/bin/sed 's/.*/{"name": "&"}/' "$FAKE/people" | /usr/bin/paste -sd,)" ;;
    "enroll --folder "*) /usr/bin/find "$3" -mindepth 1 -type d -printf '%f\n' >>"$FAKE/people" ;;
    "selftest "*) fails selftest && { echo "memory: failed"; return 1; } || return 0 ;;
    esac
}

systemctl() {
    case "$*" in
    *"-p NRestarts"*)
        [ -e "$FAKE/active" ] && echo ActiveState=active || echo ActiveState=inactive
        echo "InvocationID=$(cat "$FAKE/invocation" 2>/dev/null)"
        [ -e "$FAKE/crashing" ] && echo NRestarts=2 || echo NRestarts=0
        [ -e "$FAKE/safe" ] && echo "StatusText=doors: 1; safe mode" || echo "StatusText=doors: 1"
        ;;
    *"-p InvocationID --value"*) cat "$FAKE/invocation" 2>/dev/null ;;
    *"-p ActiveState --value"*) [ -e "$FAKE/active" ] && echo active || echo inactive ;;
    "is-enabled "*) [ -L "$FACEEDGE_ROOT/etc/systemd/system/multi-user.target.wants/${!#}" ] ;;
    "enable "*) wants="$FACEEDGE_ROOT/etc/systemd/system/multi-user.target.wants" && /bin/mkdir -p "$wants" && /bin/ln -sfn "../$2" "$wants/$2" ;;
    *"restart faceedge.service")
        version="$(/usr/bin/readlink "$FACEEDGE_ROOT/opt/faceedge/current")"
        [ "$version" != "$DEAF" ] || return 0
        [ "$version" != "$CUT_OFF" ] || kill -"$SIGNAL" "$PPID"
        printf 'run%s\n' "$(date +%N)" >"$FAKE/invocation"
        /bin/rm -f "$FAKE/active" "$FAKE/crashing"
        case "$version" in "$DEAD") ;; "$CRASHING") /bin/touch "$FAKE/active" "$FAKE/crashing" ;; *) : >"$FAKE/active" ;; esac
        ;;
    daemon-reload) [ ! -e "$FAKE/reload-fails" ] || { /bin/rm "$FAKE/reload-fails" && exit 1; } ;;
    "stop faceedge.service") /bin/rm -f "$FAKE/active" "$FAKE/invocation" ;;
    esac
}

case "$name" in
python*) python "$@" ;;
faceedge) faceedge "$@" ;;
systemctl) systemctl "$@" ;;
id) case "$1" in -u) echo "${FAKE_UID:-0}" ;; *) echo root ;; esac ;;
runuser) while [ "$1" != -- ]; do shift; done; shift; exec "$@" ;;
install)
    words=()
    while [ $# -gt 0 ]; do case "$1" in -o | -g) shift ;; *) words+=("$1") ;; esac; shift; done
    exec "$real" "${words[@]}"
    ;;
df) printf 'Filesystem 1024-blocks Used Available Capacity Mounted\n/dev/x 1 1 %s 1%% /\n' $((${FAKE_FREE_GB:-50} * 1048576)) ;;
dpkg-query) /usr/bin/grep -qx "${!#}" "$FAKE/packages" && echo installed ;;
apt-get) fails apt && { echo "E: no network"; exit 100; }; printf '%s\n' "$@" >>"$FAKE/packages" ;;
nvpmodel) printf 'NV Power Mode: 25W\n1\n' ;;
timedatectl) echo "${FAKE_SYNCED:-yes}" ;;
timeout) exit 1 ;;
getent) exit 2 ;;
chown | chgrp | chmod | sync | sleep | udevadm | systemd-sysusers | systemd-tmpfiles | userdel | groupdel) ;;
date) case "$*" in +%Y) echo "${FAKE_YEAR:-2026}" ;; *) exec "$real" "$@" ;; esac ;;
*) exec "$real" "$@" ;;
esac
