"""An order for another network, carried out: by the daemon that runs, or here where none does."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceedge import config
from faceedge.cli import opening
from faceedge.cli.model_site import open_site

if TYPE_CHECKING:
    from faceedge.gallery.base import Levels
    from faceedge.jobs.swap_order import Order, Step
    from faceedge.jobs.vision import Vision

GOES_ON = "the swap goes on without you; faceedge model list shows how far it is"


def carry_out(args: argparse.Namespace, order: Order, progress: opening.Progress) -> dict[str, Any]:
    """What came of it, as the journal has it, and `changed`; `live`: whether a daemon serves it now.

    Raises FaceedgeError when what served before still serves.
    """
    from faceedge.jobs.swap_line import is_running

    if is_running(_state(args)):
        return {**_asked(args, order, progress), "live": True}
    return {**_done_here(args, order, progress), "live": False}


def _asked(args: argparse.Namespace, order: Order, progress: opening.Progress) -> dict[str, Any]:
    """By the daemon."""
    from faceedge.errors import BadInput
    from faceedge.jobs.swap_line import ask, follow

    state = _state(args)
    name = ask(order, state)
    try:
        end = follow(name, state, lambda now: progress(_line(now.step, now.text), _overall(now.step, now.share)))
    except KeyboardInterrupt:
        print(f"faceedge: {GOES_ON}", file=sys.stderr)
        raise
    if not end.ok:
        for line in shown(end.outcome.get("report")):
            print(line, file=sys.stderr)
        raise BadInput(end.why)
    return end.outcome


def _done_here(args: argparse.Namespace, order: Order, progress: opening.Progress) -> dict[str, Any]:
    from faceedge.cli import noting
    from faceedge.jobs.offline import Offline
    from faceedge.jobs.swap import swap
    from faceedge.jobs.swap_bodies import swapped_body
    from faceedge.journal.bodies import model_letter

    settings, site = config.load(args.config), open_site(args)

    def told(step: Step, share: float, text: str) -> None:
        progress(_line(step, text), _overall(step, share))

    with noting.noted(args) as note, Offline(site, settings.engine, lambda vision: _levels(args, vision)) as host:
        done = swap(order, site, host, told)
        body = swapped_body(order, done)
        if done.is_new:
            letter = model_letter(body)
            note("model", body, [letter] if letter is not None else [])
    return {**body, "changed": done.is_new}


def shown(report: Any) -> list[str]:
    """What a trial has shown."""
    from faceedge.trial_lines import lines

    parts = report.items() if isinstance(report, dict) else ()
    return [f"{name}: {line}" for name, part in parts for line in lines(part)]


def _state(args: argparse.Namespace) -> Path:
    return config.state_dir(config.load(args.config))


def _levels(args: argparse.Namespace, vision: Vision) -> Levels | None:
    """Scores by which the doors will ask who looks like whom."""
    from faceedge.door_limits import Numbers
    from faceedge.jobs.look_alikes import demanded

    settings = config.load(args.config)
    return demanded(Numbers.of(settings.door, settings.decide, vision.door_thresholds, vision.judging))


def _line(step: Step, text: str) -> str:
    """All steps, and what is being done in this one."""
    from faceedge.jobs.swap_order import STEPS

    return f"{STEPS.index(step) + 1}/{len(STEPS)} {step}: {text}"


def _overall(step: Step, share: float) -> float:
    from faceedge.jobs.swap_order import STEPS

    return (STEPS.index(step) + share) / len(STEPS)
