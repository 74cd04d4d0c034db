"""`faceedge door test`: is a controller there, does it use our key, does it open."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from faceedge import lockdown
from faceedge.cli import opening
from faceedge.cli.door_site import Commands, Site, add_action, add_names, add_yes, is_sure
from faceedge.config import Door
from faceedge.door.contract import Address
from faceedge.door.keys import keys_of
from faceedge.door.probe import Answer, Found, Probe
from faceedge.errors import BadInput
from faceedge.journal.chain import Chain
from faceedge.journal.entry import Stamp

MAX_LISTEN_S = 600.0


def add(actions: Commands[argparse.ArgumentParser]) -> None:
    """Adds `door test`."""
    parser = add_action(
        actions, "test", run, "ask a controller whether it is there", "faceedge door test main --open",
        "Listens for its challenges and its state, and checks them under this device's keys; the daemon may run. With "
        "--open it sends one genuine grant, and the door opens. Exit code 1 when the controller does not answer, or "
        "does not open.",
    )  # fmt: skip
    add_names(parser)
    parser.add_argument("--seconds", type=float, default=5.0, metavar="S", help="how long to listen (default: 5)")
    parser.add_argument("--open", action="store_true", help="really open the door once")
    add_yes(parser)


def run(args: argparse.Namespace) -> int:
    """Listens, perhaps opens, and says what was found."""
    if not 0 < args.seconds <= MAX_LISTEN_S:
        raise BadInput(f"--seconds: name a time above 0 and up to {MAX_LISTEN_S:g}")
    site = Site.of(args)
    at = site.address(args)
    keys = keys_of(site.state, at.door, at.controller)
    if args.open:
        _check_lockdown(site.state)
    opens = args.open and is_sure(args, f"Door {at.door} will open.")
    with Probe(site.settings.broker, at, keys) as probe:
        found = probe.listen(args.seconds)
        answer = _open(probe, site, at) if opens and found.answering else None
    if args.json:
        opened = dataclasses.asdict(answer) if answer else None
        opening.print_json(
            {"door": at.door, "controller": at.controller, **dataclasses.asdict(found), "opened": opened}
        )
    else:
        _print(at, found, answer, newest=keys[-1].kid)
    return 0 if found.answering and (answer is None or answer.verdict == "opened") else 1


def _open(probe: Probe, site: Site, at: Address) -> Answer:
    """One grant, written into the journal before it is sent, as every other. Raises StoreError when it cannot be."""
    door = next((door for door in site.settings.door if door.name == at.door), Door(name=at.door))
    about = {"door": at.door, "controller": at.controller}
    _note(site.state, {**about, "verdict": None, "why": ""})
    _check_lockdown(site.state)  # again: somebody may have thought about it for long
    answer = probe.open(door.pulse_ms, door.ttl_ms)
    _note(site.state, {**about, "verdict": answer.verdict, "why": answer.why})
    return answer


def _check_lockdown(state: Path) -> None:
    if lockdown.is_on(state):
        raise BadInput("the lockdown is on, no door opens; lift it with: faceedge lockdown off")


def _note(state: Path, body: dict[str, Any]) -> None:
    with Chain.open(state) as chain:
        chain.append([Stamp().draft("door_test", body)])


def _print(at: Address, found: Found, answer: Answer | None, newest: str) -> None:
    where = f"door {at.door}, controller {at.controller}"
    if not found.answering:
        print(f"{where}: does NOT answer")
    else:
        print(
            f"{where}: answers, {found.state}, key {found.kid}{'' if found.kid == newest else ', not the new one yet'}"
        )
        rhythm = f", every {found.rhythm_ms:.0f} ms, off by up to {found.jitter_ms:.0f} ms" if found.rhythm_ms else ""
        print(f"{opening.counted(found.challenges, 'challenge')}{rhythm}; boot {found.boot}")
    for why, count in sorted(found.ignored.items()):
        print(f"ignored: {count} × {why}{_meaning(why)}")
    if answer is not None:
        took = f" after {answer.latency_ms:.1f} ms" if answer.latency_ms is not None else ""
        print(f"test grant: {answer.verdict}{took}{f' ({answer.why})' if answer.why else ''}")


def _meaning(why: str) -> str:
    return ": the controller has another key than this device" if why == "challenge mac" else ""
