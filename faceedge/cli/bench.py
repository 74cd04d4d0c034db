"""`faceedge bench`: how fast the active models are on this machine, as a table, JSON and a plot."""

from __future__ import annotations

import argparse
import dataclasses
import platform
from typing import TYPE_CHECKING, Any

from faceedge import __version__, config
from faceedge.cli import opening
from faceedge.cli.bench_frames import MOST, a_size, frames_of
from faceedge.errors import BadInput
from faceedge.health import machine
from faceedge.jobs.drawing import check_target

if TYPE_CHECKING:
    from faceedge.jobs.bench import Result
    from faceedge.jobs.vision import Vision

SECONDS, MOST_SECONDS = 20.0, 3600.0
BUSY, SLOWED = 0.1, 1.15
"""From which share of others, and from which slowing down, on the figures come with a warning."""

Document = dict[str, Any]


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `bench`."""
    parser = commands.add_parser(
        "bench",
        help="how fast the active models are on this machine",
        description="Measures each step from frame to template, frames and faces a second by batch, and memory, with "
        "the configured models, engine and threads. Detection and recognition are measured one after the other; "
        "the daemon runs them side by side.",
        epilog="Example: faceedge bench --clip door.mp4 --plot bench.png",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--images", metavar="DIR", type=opening.a_path, help=f"a folder of photos or one; the first {MOST} are used"
    )
    source.add_argument(
        "--clip", metavar="FILE", type=opening.a_path, help=f"a video; one picture a second, the first {MOST}"
    )
    parser.add_argument(
        "--size", metavar="WxH", type=a_size, help="fit every picture into so many pixels, as your camera gives"
    )
    parser.add_argument(
        "--seconds", metavar="N", type=float, default=SECONDS, help=f"about how long to measure (default: {SECONDS:g})"
    )
    parser.add_argument("--plot", metavar="OUT.png", type=opening.a_path, help="draw the figures (extra `demo`)")
    opening.add_model_flags(parser)
    opening.add_common_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measures, prints and draws."""
    if not 0 < args.seconds <= MOST_SECONDS:
        raise BadInput(f"--seconds is above 0 and at most {MOST_SECONDS:g}")
    if args.plot is not None:
        from faceedge.jobs.bench_plot import check_drawable

        check_target(args.plot, [])
        check_drawable()
    document, result = _measured(args)
    if args.plot is not None:
        from faceedge.jobs.bench_plot import plot

        plot(result, _title(document), args.plot)
    if args.json:
        opening.print_json(document)
    else:
        from faceedge.cli.bench_table import show

        show(document)
    return 0


def _measured(args: argparse.Namespace) -> tuple[Document, Result]:
    from faceedge.jobs.bench import measure

    frames = frames_of(args.images, args.clip, args.size)
    engine = config.load(args.config).engine
    load, closed = machine.load_average(), machine.resident().now
    with opening.progress_bar() as progress, opening.open_vision(args, progress) as vision:
        opened, before = machine.resident().now, machine.moment()
        result = measure(vision, frames.images, args.seconds, progress)
        seen = _machine(load, before, result)
        held = {role: dataclasses.asdict(one.memory) for role, one in vision.engines.items()}
        models, backend = _models(vision), vision.opener.backend
    document = {
        "version": __version__,
        "machine": seen,
        "engine": {"backend": backend, "threads": engine.threads},
        "models": models,
        "frames": frames.as_json(),
        "seconds": result.seconds,
        **_figures(result),
        "memory": {"before": closed, "opened": opened, "most": machine.resident().most, "engines": held},
    }
    return document | {"notes": _notes(document)}, result


def _machine(load: float, before: machine.Moment, result: Result) -> Document:
    """What it is, and what may have spoilt the figures."""
    after = machine.moment()
    return {
        "name": machine.machine_name(), "cores": machine.cores(), "python": platform.python_version(),
        "load_average": load, "others_share": machine.others_share(before, after), "slowed": result.slowed,
        "throttled": after.throttled - before.throttled,
    }  # fmt: skip


def _figures(result: Result) -> Document:
    return {
        "latency": [{"stage": one.name, "per": one.per, "ms": dataclasses.asdict(one.ms)} for one in result.stages],
        "throughput": [
            {"role": one.role, "batch": one.batch, "per_s": dataclasses.asdict(one.per_s)} for one in result.speeds
        ],
        "left_out": list(result.left_out),
    }


def _models(vision: Vision) -> Document:
    packages = (vision.detector_package, vision.recognizer_package, vision.quality_package)
    return {
        package.manifest.role: {
            "package": package.label, "build": package.build, "precision": package.manifest.precision,
            "device": vision.engines[package.manifest.role].device,
        }
        for package in packages
        if package is not None
    }  # fmt: skip


def _notes(document: Document) -> list[str]:
    """What the reader must know about these figures."""
    stages = {row["stage"] for row in document["latency"]}
    notes = [*document["left_out"], *_doubts(document)]
    if "recognise" not in stages:
        notes.append("no face was found, so only detection was measured; name pictures with --images or --clip")
    elif "quality" not in document["models"]:
        notes.append("no quality network is active, so there is no total with one")
    return notes


def _doubts(document: Document) -> list[str]:
    """Why the same run would give other figures at another time."""
    seen, doubts = document["machine"], []
    if seen["throttled"]:
        doubts.append("the processor was throttled; see to its cooling and power")
    if seen["others_share"] >= BUSY:
        doubts.append(f"other programs took {seen['others_share']:.0%} of the processor time; close them and repeat")
    elif seen["slowed"] >= SLOWED:
        doubts.append(f"it became {seen['slowed'] - 1:.0%} slower while it ran; see to its cooling and power")
    elif seen["load_average"] >= seen["cores"] / 2:
        doubts.append(f"the machine was busy before (load average {seen['load_average']:.1f}); repeat when it is not")
    return doubts


def _title(document: Document) -> str:
    labels = ", ".join(model["package"] for model in document["models"].values())
    threads = opening.counted(document["engine"]["threads"], "thread")
    sizes = ", ".join(f"{width}x{height}" for width, height in document["frames"]["sizes"])
    machine_line = f"{document['machine']['name']}, {threads}, faceedge {document['version']}"
    return "\n".join([f"{labels}, frames of {sizes} px", machine_line, *_doubts(document)])
