"""The appliance on a machine of its own, from nothing to nothing.

The tests share one machine and come in this order: each leaves it as it found it, but for those that say otherwise.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.system.container.afterwards import Facts, accounts, end, facts, grants, losses, newest, times_after, written
from tests.system.container.appliance import CONFIG, CONTROLLER, OFTEN, STATE, UNIT, Appliance, note
from tests.system.container.disk import Disk, run

pytestmark = [pytest.mark.system, pytest.mark.broker, pytest.mark.timeout(900)]

WATCHED_S, KILLED_S, AGAIN_S = 6.5, 2.0, 10.0
"""Until a hang is noticed and its process gone: watchdog 4 s, then 1 s until SIGKILL. Until another one opens."""
FIRST_GRANT_S, CUTS = 20.0, 20
KILLED_AT = ((("python",), 5.0), (("config", "models", "people"), 0.3), (("service",), 4.0))
"""Steps of an installation, and what each of them takes at least, however fast the machine."""
TRIED_S = 63.0
"""A version that is not ready after 60 s goes; it is looked at once a second."""
PATH_UNIT = "faceedge-build.path"
LOG = "var/log/faceedge-setup.log"
WORKED = "var/lib/faceedge/worked.json"
"""Written by the service once it has run for a while: there or not yet, whatever installed it."""
CLOCK = "etc/systemd/system/faceedge.service.d/clock.conf"
IN_1970 = "[Service]\nEnvironment=LD_PRELOAD=/srv/in_1970.so\n"


@pytest.fixture(scope="module")
def untouched(appliance: Appliance) -> set[str]:
    """What the machine has written before anything was installed."""
    return written(appliance.machine)


@pytest.fixture(scope="module")
def whole(appliance: Appliance, untouched: set[str]) -> Facts:
    """Installed by one command, from nothing, uninterrupted: what that came to."""
    began = time.monotonic()
    done = appliance.install()
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    seconds = time.monotonic() - began
    note("install", seconds=round(seconds, 1), first_grant_after_s=round(appliance.opens(began, 240), 1))
    return end(appliance.machine)


@pytest.fixture(scope="module")
def door(appliance: Appliance, whole: Facts) -> Appliance:
    """The same, as it is now."""
    return appliance


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    """Empty, and not yet in the machine."""
    with Disk(tmp_path_factory.mktemp("disk")) as one:
        yield one


@pytest.fixture
def well(door: Appliance) -> Appliance:
    """The same, opening often, with no bad end behind it."""
    if OFTEN not in (door.machine.tree / CONFIG).read_text():
        door.edit(lambda text: text + OFTEN)
    door.forget_ends()
    door.opens()
    return door


def test_one_command_leads_from_nothing_to_a_door_that_opens(door: Appliance) -> None:
    assert door.is_ready()
    assert "tls = true" in (door.machine.tree / CONFIG).read_text()


def test_a_second_run_changes_nothing(door: Appliance) -> None:
    """No file is written anew, and no unit started anew."""
    before, runs, kept = facts(door.machine), _runs(door), _kept(door)
    began = time.monotonic()
    done = door.install()
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    note("the same command again", seconds=round(time.monotonic() - began, 1), files=len(before))
    after = facts(door.machine)
    assert len(before) > 1000
    assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} == {LOG}
    assert (_runs(door), _kept(door)) == (runs, kept)


def test_the_process_has_the_rights_that_the_unit_leaves_it(door: Appliance) -> None:
    lines = door.machine.call("cat", f"/proc/{door.pid()}/status").splitlines()
    has = {key: value.split() for key, _, value in (line.partition(":") for line in lines)}
    assert "0" not in has["Uid"]
    assert {has[name][0] for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (has["NoNewPrivs"], has["Seccomp"]) == (["1"], ["2"])
    if door.machine.attempt("sh", "-c", "echo -300 >/proc/self/oom_score_adj").returncode == 0:  # not everywhere
        assert door.machine.call("cat", f"/proc/{door.pid()}/oom_score_adj").strip() == "-300"
    inside = ["nsenter", "--mount", f"--target={door.pid()}", "runuser", "-u", "faceedge", "--"]
    for place, may in ((f"/{STATE}", True), ("/run/faceedge", True), ("/opt/faceedge", False), ("/tmp", False)):
        done = door.machine.attempt(*inside, "touch", f"{place}/probe")
        assert (done.returncode == 0) == may, place
        door.machine.attempt(*inside, "rm", "-f", f"{place}/probe")


def test_a_process_that_hangs_is_ended_by_the_watchdog_and_the_next_one_opens(well: Appliance) -> None:
    began = time.monotonic()
    pid = well.kill("STOP")
    ended_s = _gone(well, pid)
    opened_s = well.opens(began + ended_s)
    assert ended_s > 2.5
    well.holds("a process that hangs is gone", ended_s, WATCHED_S)
    well.holds("after a hang the next one has opened", ended_s + opened_s, WATCHED_S + AGAIN_S)
    assert any("Watchdog timeout" in str(line["MESSAGE"]) for line in well.machine.journal(UNIT))


def test_after_kill_9_another_process_opens(well: Appliance) -> None:
    began = time.monotonic()
    pid = well.kill("KILL")
    started_s = _another(well, pid)
    opened_s = well.opens(began)
    well.holds("after kill -9 the next one is started", started_s, KILLED_S)
    well.holds("after kill -9 the next one has opened", opened_s, AGAIN_S)


def test_a_crash_loop_ends_in_a_safe_mode_that_opens(well: Appliance) -> None:
    """Nothing stops systemd from starting it again, and the fourth start is a careful one."""
    began = time.monotonic()
    for _ in range(3):
        well.replaced(well.kill("KILL"))
    while "safe mode" not in well.status():
        assert time.monotonic() - began < 90, well.status()
        time.sleep(0.2)
    note("crash loop", safe_mode_after_s=round(time.monotonic() - began, 1))
    well.opens()
    assert well.machine.show(UNIT, "NRestarts")["NRestarts"] == "3"


def test_a_wish_for_engines_starts_a_build_and_the_door_does_not_wait_for_it(well: Appliance) -> None:
    """There is no TensorRT here, so the build says so, and the wish is not tried for ever."""
    pid = well.pid()
    assert "wanted" in well.faceedge("build", "--later")
    wanted = well.machine.tree / STATE / "engines/wanted"
    began = time.monotonic()
    while wanted.exists():
        assert time.monotonic() - began < 60
        time.sleep(0.1)
    began = time.monotonic()
    while well.machine.show("faceedge-build.service", "ActiveState")["ActiveState"] != "failed":
        assert time.monotonic() - began < 30
        time.sleep(0.1)
    assert any("tensorrt" in str(line["MESSAGE"]).lower() for line in well.machine.journal("faceedge-build.service"))
    well.opens()
    assert well.pid() == pid


def test_an_upgrade_takes_the_next_version_and_keeps_people_and_keys(well: Appliance) -> None:
    before = _kept(well)
    began = time.monotonic()
    done = well.setup("--upgrade", "--offline", "/srv/next")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    note("upgrade", seconds=round(time.monotonic() - began, 1))
    assert well.machine.call("readlink", "/opt/faceedge/current").strip().endswith("97.0")
    assert _kept(well) == before
    well.opens()


def test_an_upgrade_that_does_not_run_returns_to_the_version_before(well: Appliance) -> None:
    before = _kept(well)
    began = time.monotonic()
    done = well.setup("--upgrade", "--offline", "/srv/broken")
    note("upgrade taken back", seconds=round(time.monotonic() - began, 1))
    assert done.returncode == 1, f"{done.stdout}\n{done.stderr}"
    assert well.machine.call("readlink", "/opt/faceedge/current").strip().endswith("97.0")
    assert _kept(well) == before
    well.opens()


def test_a_version_that_is_never_ready_is_taken_back_after_a_minute(well: Appliance) -> None:
    """That of the test before, whose daemon now waits for ever instead of leaving."""
    (program,) = (well.machine.tree / "opt/faceedge/98.0").glob("lib/python3*/site-packages/faceedge/cli/run.py")
    text = program.read_text(encoding="utf-8")
    program.write_text(text.replace("raise SystemExit(3)", "import time; time.sleep(3600)"), encoding="utf-8")
    before, began = _kept(well), time.monotonic()
    done = well.setup("--upgrade", "--offline", "/srv/broken")
    note("upgrade that is never ready, taken back", seconds=round(time.monotonic() - began, 1))
    assert done.returncode == 1, f"{done.stdout}\n{done.stderr}"
    assert "98.0 was not healthy within 60 s; version 97.0 runs again" in done.stderr
    well.holds("a version that is never ready is stopped", _tried_s(well), TRIED_S)
    assert well.machine.call("readlink", "/opt/faceedge/current").strip().endswith("97.0")
    assert _kept(well) == before
    well.opens()


def test_a_cold_boot_in_1970_without_a_network_opens_within_twenty_seconds(door: Appliance, disk: Disk) -> None:
    """The plug is pulled; from now on the state lies on a disk of its own. Only the daemon sees that year: nobody can
    set the clock of a container. With a certificate to check there is no broker in 1970, so it is known by its pin."""
    door.edit(lambda text: _believing(text, door.pin) + ("" if OFTEN in text else OFTEN))
    door.machine.call("systemctl", "restart", UNIT)
    door.opens()
    before = newest(door.machine.tree / STATE)
    door.events_say_when(is_known=True)
    door.cut()
    assert None not in times_after(door.machine.tree / STATE, before), "the clock is trusted otherwise"
    run("cp", "-a", f"{door.machine.tree / STATE}/.", disk.at)
    run("sync", "--file-system", disk.at)
    last = newest(disk.at)
    source = Path(__file__).with_name("in_1970.c")
    run("cc", "-shared", "-fPIC", "-O2", "-o", door.machine.tree / "srv/in_1970.so", source)
    (door.machine.tree / CLOCK).parent.mkdir()
    (door.machine.tree / CLOCK).write_text(IN_1970)
    began = time.monotonic()
    boot_s = door.boot(disk=disk.at)
    opened_s = door.opens(began, 120)
    note("cold boot", systemd_up_after_s=round(boot_s, 2))
    door.holds("a cold boot has opened", opened_s, FIRST_GRANT_S)
    assert "in_1970.so" in door.machine.call("cat", f"/proc/{door.pid()}/maps")
    assert door.machine.call("date", "+%Y", environ={"LD_PRELOAD": "/srv/in_1970.so"}) == "1970\n"
    door.events_say_when(is_known=False)
    with disk.cut(disk.at.with_name("elsewhere")) as state:
        assert times_after(state, last) == {None}


def test_in_1970_a_rule_with_hours_lets_nobody_in(door: Appliance, disk: Disk) -> None:
    """Leaves the machine in the year that it is."""
    door.faceedge("rules", "add", "everyone", "main", "--at", "mon-sun 00:00-24:00")
    door.decides("deny", "clock")
    (rule,) = json.loads(door.faceedge("rules", "list", "--json"))["rules"]
    door.faceedge("rules", "remove", rule["id"])
    door.opens()
    (door.machine.tree / CLOCK).unlink()
    (door.machine.tree / CLOCK).parent.rmdir()
    door.machine.call("systemctl", "daemon-reload")
    door.machine.call("systemctl", "restart", UNIT)
    door.opens()
    with disk.cut(disk.at.with_name("elsewhere")) as state:
        last = newest(state)
    door.events_say_when(is_known=True)
    with disk.cut(disk.at.with_name("elsewhere")) as state:
        assert None not in times_after(state, last)


def test_a_full_disk_shuts_the_door_and_room_opens_it_again(door: Appliance, disk: Disk) -> None:
    pid = door.pid()
    disk.fill()
    began = time.monotonic()
    door.decides("deny", "journal")
    shut_s = time.monotonic() - began
    disk.empty()
    opened_s = door.opens()
    note("full disk", shut_after_s=round(shut_s, 2))
    door.holds("with room again it has opened", opened_s, AGAIN_S)
    assert door.pid() == pid


def test_no_power_cut_loses_what_had_opened_the_door(door: Appliance, disk: Disk) -> None:
    """The disk is copied in one instant while the daemon writes, twenty times; each copy is mounted and opened."""
    assert door.ear is not None
    dice, found = random.Random(11), list[str]()
    with disk.cut(disk.at.with_name("elsewhere")) as state:
        before = grants(state)
    door.opens()  # whatever the copy had on its way has been answered since
    opened_before = door.ear.opened()
    for number in range(CUTS):
        door.opens()
        time.sleep(dice.uniform(0, 0.3))
        opened = door.ear.opened() - opened_before
        with disk.cut(disk.at.with_name("elsewhere")) as state:
            found += [f"cut {number}: {loss}" for loss in losses(state, before + opened)]
    note("power cuts", cuts=CUTS, losses=len(found), grants=door.ear.opened() - opened_before)
    assert found == []


def test_an_uninstall_leaves_nothing(door: Appliance, disk: Disk, untouched: set[str]) -> None:
    """Nor does it need the disk of its own any more."""
    door.cut()
    run("rm", "-rf", door.machine.tree / STATE)
    run("cp", "-a", f"{disk.at}/.", door.machine.tree / STATE)
    door.boot()
    door.opens()
    (door.machine.tree / "etc/credstore/faceedge-mqtt-password").write_text("hush")
    began = time.monotonic()
    done = door.setup("--uninstall", "--purge")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    note("uninstall", seconds=round(time.monotonic() - began, 1))
    assert sorted(written(door.machine) ^ untouched) == []
    assert "faceedge" not in accounts(door.machine.tree)
    kinds = "--type=service,path,timer,mount"  # a slice that was made for them goes at the next boot
    assert "faceedge" not in door.machine.call("systemctl", "list-units", "--all", "--plain", "--no-legend", kinds)
    assert "/opt/faceedge" not in door.machine.call("ps", "-eo", "args")


def test_an_install_killed_at_random_points_comes_to_the_same_end(door: Appliance, whole: Facts) -> None:
    """On the machine from which it was just removed; with SIGKILL, and all that the script had started goes, too."""
    dice = random.Random(1970)
    for steps, at_least_s in KILLED_AT:
        step, after_s = dice.choice(steps), dice.uniform(0, at_least_s)
        door.install_killed(step, after_s)
        note("install killed", step=step, after_s=round(after_s, 2))
    began = time.monotonic()
    done = door.install()
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    note("install resumed", seconds=round(time.monotonic() - began, 1))
    door.opens(began, 240)
    is_now = end(door.machine)
    assert {name for name in is_now.keys() | whole.keys() if is_now.get(name) != whole.get(name)} - {WORKED} == {LOG}


def _gone(door: Appliance, pid: int) -> float:
    """Waits until there is no such process; seconds."""
    began = time.monotonic()
    while door.machine.attempt("kill", "-0", pid).returncode == 0:
        assert time.monotonic() - began < 30
        time.sleep(0.02)
    return time.monotonic() - began


def _another(door: Appliance, pid: int) -> float:
    """Waits until systemd has started another process; seconds."""
    began = time.monotonic()
    while door.pid() in (0, pid):
        assert time.monotonic() - began < 30
        time.sleep(0.02)
    return time.monotonic() - began


def _kept(door: Appliance) -> tuple[str, bytes, str]:
    """People, the controller's key, and that the controller is the one of before."""
    (key,) = (door.machine.tree / STATE / "keys").glob("door-main*.key")
    return door.faceedge("people", "list"), key.read_bytes(), door.machine.show(CONTROLLER, "MainPID")["MainPID"]


def _runs(door: Appliance) -> list[dict[str, str]]:
    """Which run of each unit it is, and since when."""
    of_each = ("InvocationID", "ActiveEnterTimestampMonotonic", "MainPID")
    return [door.machine.show(unit, *of_each) for unit in (UNIT, CONTROLLER, PATH_UNIT)]


def _tried_s(door: Appliance) -> float:
    """by the log: how long the last version that was tried ran until it was stopped; whole seconds."""
    log = (door.machine.tree / LOG).read_text(encoding="utf-8").splitlines()
    stopped = max(number for number, line in enumerate(log) if line.endswith("+ systemctl stop faceedge.service"))
    started = max(number for number, line in enumerate(log[:stopped]) if "--no-block restart faceedge.service" in line)
    began, ended = (datetime.fromisoformat(log[number].split()[0].rstrip("Z")) for number in (started, stopped))
    return (ended - began).total_seconds()


def _believing(text: str, pin: str) -> str:
    """The configuration with the certificate itself in place of who has signed it."""
    lines = [f'pin = "{pin}"' if line.startswith("ca_file") else line for line in text.splitlines()]
    return "\n".join((*lines, ""))
