"""Calibrates the networks at hand to INT8 with the command itself, and sets each beside plain min-max.

    python -m benchmarks.calibrations ASSETS [OUT.json] [NETWORK …]

Calibrated on photos of LFW people, judged on the people of `faces/` and on held-out photos. Plain min-max is the same
engine room with nothing but ranges: no equalisation, no search of steps, no corrected biases, no node in float.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PEOPLE = 300
IMAGES = 300
PAIR = ("dlib-mmod", "dlib-resnet")


@dataclass(frozen=True, slots=True)
class Network:
    """file, recipe: of the assets; without a file it is a built-in package."""

    name: str
    role: str
    file: str = ""


NETWORKS = (
    Network("yunet", "detector", "yunet_n"),
    Network("retinaface", "detector", "retinaface_mnet025"),
    Network("scrfd-500m", "detector", "scrfd_500m"),
    Network("dlib-mmod", "detector"),
    Network("dlib-resnet", "recognizer"),
    Network("mobilefacenet", "recognizer", "mobilefacenet_128"),
    Network("mobileface-v2", "recognizer", "mobileface_v2_256"),
    Network("edgeface-xxs", "recognizer", "edgeface_xxs_512"),
)


def main() -> int:
    """Prints a line a network and writes all the figures."""
    assets = Path(sys.argv[1])
    out = Path(sys.argv[2] if len(sys.argv) > 2 else "calibrations.json")
    wanted = sys.argv[3:]
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        _photos(assets, home / "photos")
        for network in NETWORKS:
            if not wanted or network.name in wanted:
                row = _calibrated(network, assets, home)
                rows.append(row)
                print(_line(row), flush=True)
                out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


def _photos(assets: Path, folder: Path) -> None:
    """The last people of LFW by name, as links: nobody of them is among those who judge."""
    folder.mkdir()
    for person in sorted((assets / "data" / "dev" / "lfw" / "images").iterdir())[-PEOPLE:]:
        (folder / person.name).symlink_to(person)


def _calibrated(network: Network, assets: Path, home: Path) -> dict[str, Any]:
    row: dict[str, Any] = {"network": network.name, "role": network.role}
    for kind, words in (("ours", ()), ("minmax", ("--method", "minmax", "--most-float", "0"))):
        state = home / network.name / kind
        _ready(network, assets, state)
        row[kind] = _run(network, assets, home, state, words, plain=kind == "minmax")
    return row


def _ready(network: Network, assets: Path, state: Path) -> None:
    """A state directory with the network added, and a quick detector to cut crops with."""
    added = {network.name: network.file} | ({"yunet": "yunet_n"} if network.role == "recognizer" else {})
    for name, file in added.items():
        if file:
            _faceedge(state, "model", "add", str(assets / "models" / f"{file}.onnx"), "--recipe", name)
    if network.role == "recognizer":
        _faceedge(state, "model", "activate", "yunet")


def _run(
    network: Network, assets: Path, home: Path, state: Path, words: Sequence[str], *, plain: bool
) -> dict[str, Any]:
    told = _faceedge(
        state, "calibrate", network.role, "--images", str(home / "photos"), "--limit", str(IMAGES), "--json",
        *_people(network, assets), "--model", network.name, *words, plain=plain,
    )  # fmt: skip
    document = json.loads(told)
    found = {one["name"]: one["value"] for one in document["findings"]}
    timings = {f"{one['precision']} b{one['batch']}": one["times"] for one in document["timings"]}
    return {
        "verdict": document["verdict"], "kept_float": document["kept_float"], "returned": document["returned"],
        "weights": document["weights_bytes"], "chosen": document["precision"], "timings": timings, "findings": found,
    }  # fmt: skip


def _people(network: Network, assets: Path) -> Iterator[str]:
    if network.role == "recognizer":
        yield from ("--people", str(assets / "data" / "dev" / "faces"))


def _faceedge(state: Path, *words: str, plain: bool = False) -> str:
    """Output of a command; exit code 1 is an answer."""
    environ = os.environ | {
        "FACEEDGE_STATE": str(state),
        "FACEEDGE__MODELS__ACCEPT_LICENCES": "LicenseRef-InsightFace-non-commercial",
    }
    start = [sys.executable, "-m", "benchmarks.plainly" if plain else "faceedge"]
    done = subprocess.run([*start, *words], env=environ, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def _line(row: dict[str, Any]) -> str:
    parts = [f"{row['network']:<14}"]
    for kind in ("ours", "minmax"):
        one = row[kind]
        figures = ", ".join(f"{name} {value:.4f}" for name, value in one["findings"].items() if _tells(name, value))
        parts.append(f"{kind}: {one['verdict']}, float {one['kept_float']:.1%}, {figures}")
    weights = row["ours"]["weights"]
    parts.append(f"weights {weights['int8'] / weights['float']:.2f}x, chosen {row['ours']['chosen']}")
    return "\n    ".join(parts)


def _tells(name: str, value: Any) -> bool:
    return value is not None and name in (
        "cosine_mean",
        "cosine_p1",
        "accuracy_drop",
        "f1",
        "detector_f1",
        "landmark_error",
    )


if __name__ == "__main__":
    sys.exit(main())
