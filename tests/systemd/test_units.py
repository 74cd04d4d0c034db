"""The units agree with the daemon: paths, credentials, commands, what it says to systemd, and who waits for whom."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from faceedge import config
from faceedge.__main__ import build_parser
from faceedge.chaos import keeper
from faceedge.gallery.devicekey import CREDENTIAL
from faceedge.jobs.wanted import path_of
from tests.systemd.reading import FOLDER, SERVICES, environment, omitted, unit

DOOR, BUILD, CONTROLLER = "faceedge.service", "faceedge-build.service", "faceedge-controller@.service"
ours = pytest.mark.parametrize("name", [DOOR, BUILD, CONTROLLER])
"""Those that run the package."""
NEWER_THAN_249 = {
    "RestartSteps", "RestartMaxDelaySec", "RestartMode", "ImportCredential", "LoadCredentialEncrypted",
    "SetCredentialEncrypted", "RestrictFileSystems", "RestrictNetworkInterfaces", "ExtensionDirectories",
    "ExecSearchPath", "ExitType", "OpenFile", "ReloadSignal", "MemoryPressureWatch", "PrivatePIDs",
    "SocketBind", "SocketBindDeny", "StartupAllowedCPUs", "TriggerLimitIntervalSec", "TriggerLimitBurst",
}  # fmt: skip
"""Of directives that a unit of ours could want; JetPack 6 would not know them."""


@ours
def test_a_unit_runs_a_command_that_there_is(name: str) -> None:
    (line,) = unit(name)["Service.ExecStart"]
    program, *words = shlex.split(line.replace("%i", "main"))
    assert program == "/opt/faceedge/current/bin/faceedge"
    assert build_parser(words).parse_args(words).run


@ours
def test_a_unit_has_the_folders_that_the_package_takes_by_default(name: str) -> None:
    sees, has = environment(name), unit(name)
    settings = config.Config()
    assert config.state_dir(settings, sees) == config.state_dir(settings, {}) == Path("/var/lib/faceedge")
    assert config.cache_dir(sees) == Path("/var/cache/faceedge")
    assert Path("/var/lib") / has["Service.StateDirectory"][0] == config.state_dir(settings, sees)
    assert Path("/etc") / has["Service.ConfigurationDirectory"][0] == config.DEFAULT_PATH.parent
    assert has["Service.StateDirectoryMode"] == ["0700"]


@pytest.mark.parametrize("name", [DOOR, BUILD])
def test_all_that_a_unit_writes_to_is_a_folder_that_systemd_makes_for_it(name: str) -> None:
    """Everything else is read-only."""
    assert unit(name)["Service.ProtectSystem"] == ["strict"]
    made = {"/var/lib/faceedge", "/var/cache/faceedge"} | ({"/run/faceedge"} if name == DOOR else set())
    assert "Service.CacheDirectory" in unit(name)
    named = ("FACEEDGE_STATE", "FACEEDGE_CACHE", "HOME", "XDG_CACHE_HOME", "GST_REGISTRY", "CUDA_CACHE_PATH", "TMPDIR")
    for variable, value in environment(name).items():
        assert variable not in named or any(value == place or value.startswith(f"{place}/") for place in made), variable


def test_the_credentials_are_those_that_the_package_reads() -> None:
    (device, password) = (value.partition(":") for value in unit(DOOR)["Service.LoadCredential"])
    assert device[0] == CREDENTIAL
    assert config.Broker(password_credential=password[0])
    for name, _, source in (device, password):
        assert source == name, "a path that is missing would keep the service from starting"


def test_the_unit_is_the_one_that_chaos_stands_in_for() -> None:
    has = unit(DOOR)
    assert has["Service.Type"] == ["notify"]
    assert has["Service.NotifyAccess"] == ["main"]
    assert float(has["Service.WatchdogSec"][0]) == keeper.WATCHDOG_S
    assert has["Service.RestartSec"] == [f"{keeper.RESTART_AFTER_S * 1000:.0f}ms"]
    assert float(has["Service.TimeoutAbortSec"][0]) == keeper.ABORT_WITHIN_S
    assert float(has["Service.TimeoutStartSec"][0]) >= keeper.START_LIMIT_S


def test_no_number_of_bad_starts_leaves_the_door_without_a_daemon() -> None:
    has = unit(DOOR)
    assert has["Service.Restart"] == ["always"]
    assert has["Unit.StartLimitIntervalSec"] == ["0"]
    assert not {key for key in has if key.startswith(("Service.RestartPrevent", "Unit.StartLimitAction"))}


def test_a_killed_build_ends_no_door_and_no_core_holds_a_face() -> None:
    assert unit(DOOR)["Service.OOMPolicy"] == ["continue"]
    assert -1000 < int(unit(DOOR)["Service.OOMScoreAdjust"][0]) < 0 < int(unit(BUILD)["Service.OOMScoreAdjust"][0])
    for name in (DOOR, BUILD, CONTROLLER):
        assert unit(name)["Service.LimitCORE"] == ["0"]


def test_the_door_waits_neither_for_a_build_nor_for_the_network() -> None:
    waits = {word for name in SERVICES for key in ("Before", "After", "Requires", "Wants", "BindsTo")
             for line in unit(name).get(f"Unit.{key}", []) for word in line.split()}  # fmt: skip
    assert not waits & {DOOR, BUILD, "faceedge-build.path", "network-online.target", "time-sync.target"}
    assert "Unit.Requires" not in unit(DOOR)


def test_the_path_that_is_watched_is_the_one_that_wishes_go_to() -> None:
    assert unit("faceedge-build.path")["Path.PathExists"] == [str(path_of(Path("/var/lib/faceedge")))]
    assert unit("faceedge-build.path")["Install.WantedBy"] == ["multi-user.target"]
    assert not {key for key in unit(BUILD) if key.startswith("Install.")}


def test_a_build_that_is_killed_each_time_is_given_up() -> None:
    assert 0 < int(unit(BUILD)["Unit.StartLimitBurst"][0]) <= 5
    assert unit(BUILD)["Unit.StartLimitIntervalSec"] == ["1h"]


def test_the_user_is_made_with_the_groups_that_the_units_name() -> None:
    lines = [line.split() for line in (FOLDER / "sysusers.d" / "faceedge.conf").read_text().splitlines()]
    made = {(line[0], line[1]) for line in lines if line and line[0] in "ug"}
    for name in (DOOR, BUILD, CONTROLLER):
        has = unit(name)
        assert {("u", user) for user in has["Service.User"]} <= made
        for group in " ".join(has.get("Service.SupplementaryGroups", [])).split():
            assert ("g", group) in made


def test_nobody_but_the_user_sees_into_the_state() -> None:
    lines = (FOLDER / "tmpfiles.d" / "faceedge.conf").read_text().splitlines()
    modes = {words[1]: words[2:5] for line in lines if (words := line.split()) and words[0] == "d"}
    assert modes["/var/lib/faceedge"] == modes["/var/lib/faceedge/engines"] == ["0700", "faceedge", "faceedge"]
    assert modes["/etc/faceedge"] == ["0750", "root", "faceedge"]


def test_a_rule_of_udev_opens_no_node_to_everybody() -> None:
    rules = (FOLDER / "udev" / "70-faceedge.rules").read_text().splitlines()
    for rule in rules:
        assert rule.startswith("#") or rule.endswith('GROUP="video", MODE="0660"')


def test_no_directive_is_newer_than_the_oldest_systemd_that_we_run_on() -> None:
    for place in (*FOLDER.glob("*.service"), *FOLDER.glob("*.path")):
        assert not {key.partition(".")[2] for key in unit(place.name)} & NEWER_THAN_249


@ours
def test_what_would_take_the_gpu_or_the_camera_away_is_left_out_and_says_why(name: str) -> None:
    has, why = unit(name), omitted(name)
    assert {"PrivateDevices", "DeviceAllow", "ProtectClock"} <= why.keys()
    if name != CONTROLLER:
        assert {"MemoryDenyWriteExecute", "ProcSubset", "PrivateUsers"} <= why.keys()
    for measure in why:
        assert has.get(f"Service.{measure}", ["no"]) == ["no"], f"{measure} is there and said to be left out"


def test_drop_ins_are_installed_by_nobody_unasked() -> None:
    """They lie where no copy of `*.service` takes them along."""
    for place in (FOLDER / "drop-ins").rglob("*.conf"):
        assert place.parent.name in ("system.conf.d", "faceedge.service.d")
        assert place.read_text().startswith("# Optional")
