"""The demo's film through the real flow: daemon, broker and controller as processes of their own, with the networks and
engines of this installation. An installation in; out: did the door do right?
"""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rich.console import Console

from faceedge.backends import guarded
from faceedge.backends.plan import keep_plan, place_of, read_plan
from faceedge.checks.base import Bench, Finding, Share, judged
from faceedge.demo import clip, stand
from faceedge.demo.script import Timeline
from faceedge.demo.verdict import Verdict, judge
from faceedge.demo.watch import Watch
from faceedge.door.broker import local_broker
from faceedge.errors import EngineError
from faceedge.gallery.devicekey import first_key

if TYPE_CHECKING:
    from faceedge.jobs.gpu_plans import Plan

STATE = "state"


def no_film(bench: Bench) -> str:
    """Why the film is not shown."""
    return "" if bench.has_time_for_film else "takes more than a minute; give --minutes 2 or more"


def check_film(bench: Bench, tell: Share) -> Finding:
    """The last of all checks: the bench is closed, so that what it holds of the device is the daemon's."""
    path, story = clip.cached(bench.cache, progress=lambda _words, share: tell(0.3 * share))
    with stand.workplace(None) as folder, local_broker() as broker:
        hand_over(bench, folder / STATE)
        bench.close()
        tell(0.4)
        place = stand.build(folder, f"file:{path}", broker.port, {**settings_of(bench), **stand.FILM})
        tell(0.5)
        record = Watch(Console(file=io.StringIO()), place, story).run()
    return told(judge(story, record, place.known), story)


def told(verdict: Verdict, story: Timeline) -> Finding:
    """The verdict in words."""
    scenes = [
        {"scene": one.scene.name, "must": one.scene.expect, "happened": one.happened, "wrong": one.wrong}
        for one in verdict.scenes
        if one.scene.subject != "nobody" or one.wrong
    ]
    latency = "" if verdict.latency_ms is None else f"; camera to verdict {verdict.latency_ms:.0f} ms (median)"
    said = f"{story.seconds:.0f} s of film: opened {len(verdict.opened)} times for her, never wrongly{latency}"
    return judged(verdict.complaints, said, scenes=scenes, latency_ms=verdict.latency_ms)


def settings_of(bench: Bench) -> dict[str, Any]:
    """The same networks and engines for the film's daemon."""
    named = {role: str(package.folder.resolve()) for role, package in bench.packages.items()}
    licences = list(bench.models.accept_licences)
    return {"models": {**named, "accept_licences": licences}, "engine": bench.engine.model_dump(mode="json")}


def hand_over(bench: Bench, state: Path) -> None:
    """Plans and kernels of this installation for another state directory, signed with a key of its own: the device key
    stays where it is."""
    if bench.no_gpu():
        return
    engines = bench.gpu_engines()
    guarded.make_own_folder(state / "engines")
    for role, package in bench.packages.items():
        _sign_anew(engines.plan_of(package, bench.vision.engines[role].inputs[0]), bench.state, state)
    _sign_kernels_anew(bench.state, state)


def _sign_anew(plan: Plan, old: Path, state: Path) -> None:
    """A plan that is not good is left out, and the film's daemon serves that network from ONNX Runtime."""
    label, build, precision = plan.package.label, plan.package.build, plan.wanted.options.precision
    place = place_of(state, label, build, precision)
    guarded.make_own_folder(place.folder)
    reading = read_plan(plan.place, plan.wanted, _key(old))
    if reading.plan is None:
        return
    with TemporaryDirectory(dir=place.folder.parent) as scratch:
        fresh = Path(scratch) / "plan"
        fresh.write_bytes(reading.plan)
        keep_plan(place, fresh, plan.wanted, _key(state))


def _sign_kernels_anew(old: Path, state: Path) -> None:
    """Without kernels here the film's daemon has none either."""
    from faceedge.backends.cuda import process_gpu
    from faceedge.backends.cuda_kernels import keep_kernels, read_kernels

    capability = process_gpu().capability
    with suppress(EngineError):
        image = read_kernels(old / "engines", _key(old), capability)
        keep_kernels(state / "engines", _key(state), capability, image)


def _key(state: Path) -> bytes:
    return guarded.engines_key(first_key(state).secret)
