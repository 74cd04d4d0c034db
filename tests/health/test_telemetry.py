"""Temperature, power and throttling, from made-up files of a Jetson."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from faceedge.health.jtop_reader import JtopReader
from faceedge.health.machine import read_text
from faceedge.health.telemetry import SysfsReader, Telemetry
from faceedge.health.thermometer import FRESH_S, Thermometer

THERMAL = "sys/class/thermal"
HWMON = "sys/class/hwmon"


class Answers(JtopReader):
    """One that tells this."""

    def __init__(self, told: Telemetry | None) -> None:
        super().__init__()
        self._told = told

    def read(self) -> Telemetry | None:
        return self._told


def put(root: Path, folder: str, **files: str | int) -> None:
    (root / folder).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (root / folder / name).write_text(f"{text}\n", encoding="utf-8")


@pytest.fixture
def orin(tmp_path: Path) -> Path:
    """An Orin Nano at rest."""
    for number, (kind, milli) in enumerate((("cpu-thermal", 51_000), ("gpu-thermal", 52_500), ("tj-thermal", 52_437))):
        put(tmp_path, f"{THERMAL}/thermal_zone{number}", type=kind, temp=milli)
    kinds = (("pwm-fan", 3, 4), ("cpu-throttle-alert", 0, 2), ("cpufreq-cpu0", 0, 48), ("hot-surface-alert", 1, 1))
    for number, (kind, step, most) in enumerate(kinds):
        put(tmp_path, f"{THERMAL}/cooling_device{number}", type=kind, cur_state=step, max_state=most)
    rails = {"in1_label": "VDD_IN", "in1_input": 5000, "curr1_input": 1000, "in2_label": "VDD_CPU_GPU_CV",
             "in2_input": 5000, "curr2_input": 400, "in4_input": 3, "curr4_input": 9999,
             "in7_label": "sum of shunt voltages", "in7_input": 9, "curr7_input": 9999}  # fmt: skip
    put(tmp_path, f"{HWMON}/hwmon1", name="ina3221", curr1_crit_alarm=0, curr1_max_alarm=0, **rails)
    put(tmp_path, f"{HWMON}/hwmon3", name="soctherm_oc", oc1_event_cnt=0, oc2_event_cnt=2, oc3_event_cnt=5)
    put(tmp_path, "sys/class/devfreq/17000000.gpu/device", load=431)
    return tmp_path


def test_a_jetson_at_rest_is_read_whole(orin: Path) -> None:
    assert SysfsReader(orin).read() == Telemetry("sysfs", 52.5, "gpu", 0.431, 5.0, "")


def test_a_box_without_sensors_tells_nothing(tmp_path: Path) -> None:
    assert SysfsReader(tmp_path).read() == Telemetry("sysfs")


def test_without_a_rail_of_the_whole_board_the_rails_are_summed(orin: Path) -> None:
    put(orin, f"{HWMON}/hwmon1", in1_label="VDD_GPU_SOC")
    assert SysfsReader(orin).read().power_w == pytest.approx(7.0)


def test_a_machine_whose_sensors_are_all_off_has_no_temperature(tmp_path: Path) -> None:
    put(tmp_path, f"{THERMAL}/thermal_zone0", type="cv0-thermal", temp=-256_000)
    assert SysfsReader(tmp_path).read().temperature_c is None


@pytest.mark.parametrize("temp", ["", "x", "-256000", "999999999", "²"])
def test_a_zone_that_is_switched_off_has_no_say(orin: Path, temp: str) -> None:
    put(orin, f"{THERMAL}/thermal_zone1", temp=temp)
    assert SysfsReader(orin).read().zone == "tj"


def test_a_file_that_says_try_again_is_passed_over(tmp_path: Path) -> None:
    """As the zones of Jetson's cv cores do; Path.read_text fails on it in a way of its own."""
    pipe = tmp_path / "temp"
    os.mkfifo(pipe)
    both = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        assert read_text(pipe) == ""
    finally:
        os.close(both)


def test_a_throttle_alert_is_strain_from_its_first_step(orin: Path) -> None:
    put(orin, f"{THERMAL}/cooling_device1", cur_state=1)
    assert SysfsReader(orin).read().strain == "too hot: cpu-throttle-alert"


@pytest.mark.parametrize(("step", "strain"), [(11, ""), (12, "too hot: cpufreq-cpu0"), (48, "too hot: cpufreq-cpu0")])
def test_a_frequency_cap_is_strain_from_a_quarter_of_its_steps(orin: Path, step: int, strain: str) -> None:
    put(orin, f"{THERMAL}/cooling_device2", cur_state=step)
    assert SysfsReader(orin).read().strain == strain


def test_an_alarm_of_a_rail_is_strain(orin: Path) -> None:
    put(orin, f"{HWMON}/hwmon1", curr1_crit_alarm=1)
    assert SysfsReader(orin).read().strain == "too much current: VDD_IN"


def test_over_current_counts_when_it_goes_on(orin: Path) -> None:
    reader, strains = SysfsReader(orin), []
    for count in (5, 6, 7, 7, 8, 8, 9):
        put(orin, f"{HWMON}/hwmon3", oc3_event_cnt=count)
        strains.append(bool(reader.read().strain))
    assert strains == [False, False, True, False, False, False, False]


def test_what_jtop_tells_comes_first_and_alarms_are_the_kernels(orin: Path) -> None:
    put(orin, f"{THERMAL}/cooling_device1", cur_state=1)
    thermometer = Thermometer("jtop", orin, Answers(Telemetry("jtop", 60.0, "cpu", 0.5, 7.5, "")))
    thermometer.look()
    assert thermometer.newest == Telemetry("jtop", 60.0, "cpu", 0.5, 7.5, "too hot: cpu-throttle-alert")


def test_without_an_answer_of_jtop_the_kernels_files_serve(orin: Path) -> None:
    thermometer = Thermometer("jtop", orin, Answers(None))
    thermometer.look()
    assert thermometer.newest == Telemetry("sysfs", 52.5, "gpu", 0.431, 5.0, "")


def test_names_of_zones_and_rails_are_plain_words_whoever_gave_them(orin: Path) -> None:
    odd = Telemetry("jtop", 60.0, "\x1b[2J" + "z" * 999, strain="too \ud800\n much " + "r" * 999)
    thermometer = Thermometer("jtop", orin, Answers(odd))
    thermometer.look()
    assert thermometer.newest is not None
    for words in (thermometer.newest.zone, thermometer.newest.strain):
        assert words.isprintable()
        assert 0 < len(words) <= 100


def test_off_a_jetson_jtop_is_not_asked_for(tmp_path: Path) -> None:
    thermometer = Thermometer("auto", tmp_path)
    thermometer.look()
    assert thermometer.newest == Telemetry("sysfs")


def test_a_reading_that_a_sensor_holds_up_grows_old(orin: Path) -> None:
    now = 0.0
    thermometer = Thermometer("sysfs", orin, clock=lambda: now)
    thermometer.look()
    now = FRESH_S
    assert thermometer.newest is not None
    now += 0.1
    assert thermometer.newest is None


def test_switched_off_nothing_is_read(orin: Path) -> None:
    thermometer = Thermometer("off", orin)
    thermometer.start()
    assert thermometer.newest is None
    thermometer.stop()


def test_its_thread_reads_and_ends(orin: Path) -> None:
    thermometer = Thermometer("sysfs", orin)
    thermometer.start()
    for _ in range(200):
        if thermometer.newest is not None:
            break
        thermometer._stop.wait(0.01)
    assert thermometer.newest is not None
    thermometer.stop()
    assert not thermometer._thread.is_alive()


def test_a_reading_that_fails_is_said_once_and_the_next_is_made_all_the_same(
    orin: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("faceedge.health.thermometer.EVERY_S", 0.001)
    fails = iter([OSError("Too many open files")] * 3)

    class Short(Answers):
        def read(self) -> Telemetry | None:
            if (error := next(fails, None)) is not None:
                raise error
            return super().read()

    thermometer = Thermometer("jtop", orin, Short(None))
    thermometer.start()
    for _ in range(500):
        if thermometer.newest is not None:
            break
        thermometer._stop.wait(0.01)
    assert thermometer.newest is not None
    thermometer.stop()
    assert len([line for line in caplog.messages if "Too many open files" in line]) == 1
