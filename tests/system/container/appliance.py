"""A door on a machine of its own: installed by the script, with a broker that speaks TLS, and watched by what the
reference controller and the daemon tell that broker."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faceedge.demo.photos import astronaut_path
from tests.system.authority import Authority
from tests.system.container.image import CHECKOUT
from tests.system.container.machine import Machine, copy_in

UNIT, CONTROLLER = "faceedge.service", "faceedge-controller@main.service"
CONFIG, STATE = "etc/faceedge/faceedge.toml", "var/lib/faceedge"
SETUP = "/srv/checkout/scripts/flash_setup.sh"
BROKER = """listener 8883 127.0.0.1
allow_anonymous true
certfile /etc/mosquitto/certs/server.pem
keyfile /etc/mosquitto/certs/server.key
"""
OFTEN = """
[decide]
cooldown_s = 0
motion = false
"""
"""Every shot of the film may open the door anew."""
STILL = "[Service]\nEnvironment=FACEEDGE__DECIDE__MOTION=false\n"
"""A photo sways in the film: how much of that is seen depends on how fast the machine is, and is not what is tested."""


class Appliance:
    """offline: wheels and networks by version, as the script takes them; each is seen in there as /srv/<name>."""

    def __init__(self, machine: Machine, film: Path, offline: dict[str, Path]) -> None:
        self.machine = machine
        self._offline = offline
        self.ear: Ear | None = None
        self._furnish(film)

    def boot(self, *, disk: Path | None = None) -> float:
        """Until systemd is up; seconds. disk: mounted where the state lies."""
        binds = {CHECKOUT: "/srv/checkout:ro"} | {at: f"/srv/{name}:ro" for name, at in self._offline.items()}
        seconds = self.machine.boot(binds | ({disk: f"/{STATE}"} if disk else {}))
        self.ear = Ear(self.machine)
        return seconds

    def cut(self) -> None:
        """Without a warning."""
        self.machine.cut()
        if self.ear is not None:
            self.ear.close()
        self.ear = None

    def install_killed(self, step: str, after_s: float) -> None:
        """The command of the installation, and all it has started, killed so long after it has come to that step."""
        child = self.machine.start("bash", SETUP, "--simulate", "--yes", *self._words("first"), own_group=True)
        assert child.stdout is not None
        said = list(itertools.takewhile(lambda line: not line.startswith(f"{step}:"), child.stdout))
        time.sleep(after_s)
        assert child.poll() is None, f"has ended within {after_s:.1f} s after {step}, or never came to it: {said}"
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()

    def setup(self, *words: str, within_s: float = 240.0) -> subprocess.CompletedProcess[str]:
        """The script, to its end."""
        return self.machine.attempt("bash", SETUP, "--simulate", "--yes", *words, within_s=within_s)

    def install(self, name: str = "first") -> subprocess.CompletedProcess[str]:
        """One command, from nothing to a door."""
        return self.setup(*self._words(name))

    @staticmethod
    def _words(name: str) -> tuple[str, ...]:
        return (
            "--offline", f"/srv/{name}", "--camera", "file:/srv/film/standing.avi", "--loop", "--broker",
            "mqtts://localhost:8883", "--broker-ca", "/etc/mosquitto/certs/ca.pem", "--door", "main",
            "--device", "container", "--people", "/srv/people", "--controller", "here", "--selftest", "skip",
        )  # fmt: skip

    def opens(self, since: float | None = None, within_s: float = 60.0) -> float:
        """Waits until the controller has opened; seconds since then. since: monotonic, now when it is left out."""
        began = time.monotonic() if since is None else since
        assert self.ear is not None
        found = self.ear.first(lambda topic, body: topic.endswith("/verdict") and body.get("opened"), began, within_s)
        return found - began

    def decides(self, outcome: str, reason: str, within_s: float = 60.0) -> None:
        """Waits until the daemon tells such a decision."""
        assert self.ear is not None
        wanted = {"outcome": outcome, "reason": reason}.items()
        self.ear.first(
            lambda topic, body: topic.endswith("/decision") and wanted <= body.items(), time.monotonic(), within_s
        )

    def events_say_when(self, is_known: bool, within_s: float = 60.0) -> None:
        """Waits for an event of a decision that says when it was made, or that nobody knows."""
        assert self.ear is not None
        self.ear.first(
            lambda topic, body: topic.endswith("/event/decision") and (body["time_ms"] is not None) == is_known,
            time.monotonic(), within_s,
        )  # fmt: skip

    def pid(self) -> int:
        """Of the daemon, as it is called in there."""
        return int(self.machine.show(UNIT, "MainPID")["MainPID"])

    def status(self) -> str:
        """What the daemon says of itself, in one line."""
        return self.machine.show(UNIT, "StatusText").get("StatusText", "")

    def kill(self, how: str) -> int:
        """Sends that signal to the daemon; which process it was."""
        pid = self.pid()
        assert pid > 0, "there is none now, and 0 would be everybody around whoever kills"
        self.machine.call("kill", f"-{how}", pid)
        return pid

    def replaced(self, pid: int, within_s: float = 30.0) -> float:
        """Waits until another process is ready; seconds."""
        began = time.monotonic()
        while True:
            now = self.machine.show(UNIT, "ActiveState", "MainPID")
            if now["ActiveState"] == "active" and now["MainPID"] not in ("0", str(pid)):
                return time.monotonic() - began
            assert time.monotonic() - began < within_s, self.machine.attempt("systemctl", "status", UNIT).stdout
            time.sleep(0.05)

    def is_ready(self) -> bool:
        return self.machine.show(UNIT, "ActiveState")["ActiveState"] == "active"

    def holds(self, name: str, measured_s: float, bound_s: float) -> None:
        """Fails when it took longer. Bounds are for a machine that does nothing else; where an import, which costs
        about 0.6 s of a processor, takes longer than a second now, there is so much more time. All of that is told."""
        began = time.monotonic()
        self.machine.call("/opt/faceedge/current/bin/python", "-c", "import faceedge.daemon")
        stretch = max(1.0, time.monotonic() - began)
        note(name, seconds=round(measured_s, 2), bound_s=bound_s, stretched_by=round(stretch, 2))
        assert measured_s < bound_s * stretch, f"{name}: {measured_s:.2f} s, not {bound_s} s times {stretch:.2f}"

    def forget_ends(self) -> None:
        """What has ended so far is no crash loop."""
        self.machine.call("systemctl", "stop", UNIT)
        self.machine.call("rm", "-f", f"/{STATE}/starts.json")
        self.machine.call("systemctl", "start", UNIT)

    def edit(self, change: Callable[[str], str]) -> None:
        """The configuration, from outside."""
        path = self.machine.tree / CONFIG
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")

    def faceedge(self, *words: str) -> str:
        """A command of the product, as the user of the daemon."""
        return self.machine.call("faceedge", *words)

    def _furnish(self, film: Path) -> None:
        """Before it boots for the first time: broker with certificates, film, a photo of who stands in it."""
        tree = self.machine.tree
        certificates = tree / "etc/mosquitto/certs"
        certificates.mkdir(parents=True, exist_ok=True)
        self.pin = Authority(certificates).issue()
        for file in certificates.iterdir():
            file.chmod(0o644)
        (tree / "etc/mosquitto/conf.d/door.conf").write_text(BROKER)
        (tree / "etc/credstore").mkdir(mode=0o700)  # comes with systemd 253
        (tree / "etc/hosts").write_text("127.0.0.1 localhost\n")
        count_still_faces(tree)
        copy_in(film, tree / "srv/film/standing.avi")
        copy_in(astronaut_path(), tree / "srv/people/Astronaut/1.png")


def count_still_faces(tree: Path) -> None:
    """From the first start on, and for all services, as what is only for ours goes with it; see `STILL`."""
    folder = tree / "etc/systemd/system/service.d"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "10-still.conf").write_text(STILL)


class Ear:
    """Hears everything that goes over the broker, with the moment that it came."""

    def __init__(self, machine: Machine) -> None:
        command = ["mosquitto_sub", "-h", "localhost", "-p", "8883", "-V", "mqttv5", "--cafile",
                   "/etc/mosquitto/certs/ca.pem", "-v", "-t", "faceedge/#"]  # fmt: skip
        self._child = machine.start(*command)
        self.heard: list[tuple[float, str, dict[str, Any]]] = []
        self._reader = threading.Thread(target=self._read, name="ear")
        self._reader.start()

    def first(self, is_wanted: Callable[[str, dict[str, Any]], object], since: float, within_s: float) -> float:
        """When something like that came, after `since`; waits for it."""
        ends, seen = time.monotonic() + within_s, 0
        while True:
            heard = self.heard[seen:]
            for at, topic, body in heard:
                if at >= since and is_wanted(topic, body):
                    return at
            seen += len(heard)
            assert time.monotonic() < ends, f"not heard; the last were {self.heard[-5:]}"
            time.sleep(0.02)

    def opened(self) -> int:
        """How often the controller has said so."""
        return sum(topic.endswith("/verdict") and bool(body.get("opened")) for _, topic, body in list(self.heard))

    def close(self) -> None:
        """Once the machine is off: what runs in there is no child of ours."""
        self._child.kill()
        self._child.wait()
        self._reader.join(10)
        assert self._child.stdout is not None
        self._child.stdout.close()

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            topic, _, text = line.rstrip("\n").partition(" ")
            try:
                body = json.loads(text[text.index("{") :])  # what is signed has its MAC before
            except ValueError:
                body = {}
            self.heard.append((time.monotonic(), topic, body if isinstance(body, dict) else {}))


FIGURES: list[str] = []
"""Of this run, a line each."""


def note(name: str, **figures: float | int | str) -> None:
    """A figure of the run, told at its end, and kept for whoever named a file for them."""
    FIGURES.append(f"container: {name}: " + ", ".join(f"{key} {value}" for key, value in figures.items()))
    if path := os.environ.get("FACEEDGE_TEST_FIGURES"):
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"what": name, **figures}) + "\n")
