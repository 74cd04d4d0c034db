"""Ways to break an installation of `ward.py`, each as it happens in the field."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge

from faceedge.door import rotation
from faceedge.door.keys import key_path
from faceedge.gallery.store import Gallery
from faceedge.gallery.vault import device_key_path
from faceedge.health.scrape import MetricsServer
from faceedge.journal.chain import Chain
from tests.doctor.ward import CONTROLLER, Ward
from tests.fakes.plans import MACHINE
from tests.journal.made_up import grow, stamp

Break = Callable[[Ward], None]


def set_to(*path: str | int, to: object) -> Break:
    """A value of the configuration."""

    def change(ward: Ward) -> None:
        table = ward.settings
        for step in path[:-1]:
            table = table[step] if isinstance(step, int) else table.setdefault(step, {})  # type: ignore[call-overload]
        table[path[-1]] = to  # type: ignore[index]
        ward.write()

    return change


def both(one: Break, other: Break) -> Break:
    def change(ward: Ward) -> None:
        one(ward)
        other(ward)

    return change


def text(words: str) -> Break:
    return lambda ward: ward.write(words)


def mode(path: Callable[[Ward], Path], bits: int) -> Break:
    return lambda ward: path(ward).chmod(bits)


def password(bits: int | None) -> Break:
    def change(ward: Ward) -> None:
        path = ward.folder / "password"
        if bits is not None:
            path.write_text("open sesame")
            path.chmod(bits)
        set_to("broker", to={"username": "door", "password_file": str(path)})(ward)

    return change


def sql(name: str, *statements: str) -> Break:
    def change(ward: Ward) -> None:
        with closing(sqlite3.connect(ward.state / name)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    return change


def scribble(name: str) -> Break:
    """What a dying card does: blocks in the middle of a file hold something else."""

    def change(ward: Ward) -> None:
        path = ward.state / name
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA journal_mode = DELETE")
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xa5" * (path.stat().st_size - 4096))

    return change


def other_device_key(ward: Ward) -> None:
    path = device_key_path(ward.state)
    path.write_bytes(os.urandom(32))


def removed(path: Callable[[Ward], Path]) -> Break:
    def change(ward: Ward) -> None:
        shutil.rmtree(path(ward)) if path(ward).is_dir() else path(ward).unlink()

    return change


def nobody(ward: Ward) -> None:
    with Gallery.open(ward.state) as gallery:
        for person in gallery.people():
            gallery.remove(person)


def altered_network(ward: Ward) -> None:
    path = ward.package("edgeface-xxs") / "model.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    manifest = path.with_name("model.toml")
    if "[plain]" not in manifest.read_text():
        noted = hashlib.sha256(path.read_bytes()).hexdigest()
        manifest.write_text(f'{manifest.read_text()}\n[plain]\nsha256 = "{noted}"\n')
    path.write_bytes(content)


def licence(ward: Ward) -> None:
    manifest = ward.package("edgeface-xxs") / "model.toml"
    manifest.write_text(manifest.read_text().replace("BSD-3-Clause", "for research only"))


def other_space(ward: Ward) -> None:
    """The recogniser was exchanged, and nobody enrolled again."""
    sql("gallery.db", "UPDATE templates SET space = 'ffffffffffff'")(ward)


def of_the_future(ward: Ward) -> None:
    with Chain.open(ward.state) as chain:
        grow(chain, 1, stamp(time.time() + 10 * 86_400))
    not_set(ward)


def not_set(ward: Ward) -> None:
    (ward.folder / "synchronized").unlink()
    ward.more["sync_ask"] = ("echo", "no")


def little_memory(ward: Ward) -> None:
    kernel = ward.folder / "root" / "proc"
    kernel.mkdir(parents=True)
    (kernel / "meminfo").write_text("MemTotal: 8000000 kB\nMemAvailable: 200000 kB\n")
    ward.more["root"] = ward.folder / "root"


def jetson(l4t: str) -> Break:
    """A made-up root of a Jetson with this release, as `36.4.7`."""
    major, _, minor = l4t.partition(".")

    def change(ward: Ward) -> None:
        root = ward.folder / "root"
        (root / "etc").mkdir(parents=True)
        (root / "proc/device-tree").mkdir(parents=True)
        (root / "usr/local/cuda").mkdir(parents=True)
        (root / "etc/nv_tegra_release").write_text(f"# R{major} (release), REVISION: {minor}, GCID: 1\n")
        (root / "proc/device-tree/model").write_text(MACHINE.module.rpartition(" (")[0] + "\0")
        (root / "proc/device-tree/compatible").write_text("nvidia,p3768-0000+p3767-0005\0nvidia,tegra234\0")
        (root / "usr/local/cuda/version.json").write_text(json.dumps({"cuda": {"version": MACHINE.cuda}}))
        ward.more["root"] = root

    return change


def unit(**said: str) -> Break:
    lines = {"LoadState": "loaded", "ActiveState": "active", "SubState": "running", "NRestarts": "0", **said}
    return lambda ward: ward.program("systemctl", "\n".join(f"echo {key}={word}" for key, word in lines.items()))


def history(**said: object) -> Break:
    whole = {"boot": "b", "running": True, "mode": "normal", "ends": [], "config": "c", **said}
    return lambda ward: (ward.state / "starts.json").write_text(json.dumps(whole)) and None


def rotating(ward: Ward) -> None:
    rotation.begin(ward.state, "main", CONTROLLER)


def of(name: str) -> Callable[[Ward], Path]:
    return lambda ward: ward.state / name


def door_key(ward: Ward) -> Path:
    return key_path(ward.state, "main", CONTROLLER)


@contextmanager
def serving(**values: float) -> Iterator[str]:
    """A daemon's page of metrics, with these."""
    registry = CollectorRegistry()
    for name, value in values.items():
        gauge = Gauge(f"faceedge_{name}", name, ("camera",) if name == "camera_ok" else (), registry=registry)
        (gauge.labels("entry") if name == "camera_ok" else gauge).set(value)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{probe.getsockname()[1]}"
    server = MetricsServer(where, registry)
    server.start()
    try:
        yield where
    finally:
        server.stop()
