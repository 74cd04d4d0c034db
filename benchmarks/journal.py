"""What the journal costs: decisions with it and without, durable entries a second, and the time a long one verifies in.

`FACEEDGE_BENCH_ENTRIES` sets the length of the journal that is verified (default a million).
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.clip import Bench, opened
from benchmarks.measure import Row, compare_times, interleaved, quartiles, timed
from benchmarks.pipeline import frames, judge_of
from faceedge.config import Door
from faceedge.journal.chain import Chain, Keep
from faceedge.journal.entry import Stamp
from faceedge.journal.verify import verify
from faceedge.journal.writer import Journal
from faceedge.publish import GRANT_WAIT_S, Publisher
from faceedge.stages.detect import DetectStage
from faceedge.stages.recognise import RecogniseStage
from faceedge.types import Decision, Frame, Shot

ROUNDS = 5
ENTRIES = int(os.environ.get("FACEEDGE_BENCH_ENTRIES", "1000000"))
VERIFY_GOAL_S = 60.0
LIMITS = {
    "grey": 0.86,
    "match": 0.9,
    "strict": 0.92,
    "margin": 0.02,
    "votes": 3,
    "of": 5,
    "usable": 0.4,
    "trusted": 0.6,
}
BODY = {
    "id": "0123456789abcdef", "camera": "entry", "track": 12, "segment": 0, "outcome": "deny", "reason": "unknown",
    "band": "none", "person": None, "similarity": 0.7512, "margin": 0.0312, "quality": 0.812, "votes": 3, "shots": 4,
    "seq": 123, "box": [1.5, 2.5, 100.5, 120.5], "poor": [], "limits": LIMITS, "age_ms": 123.4,
}  # fmt: skip


def rows() -> list[Row]:
    """The comparisons; the folder lies where the command runs, for a file system in memory would show nothing."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        scratch = Path(folder)
        return [
            *decided(scratch / "decided"), latency(scratch / "latency"), durable(scratch / "durable"),
            verified(scratch / "verified"),
        ]  # fmt: skip


def decided(state: Path) -> list[Row]:
    """Milliseconds a decision from the fewest frames that one takes; most are grants, which wait for the disk."""
    with opened() as bench, running(state) as journal:
        tracks = short_tracks(bench)
        found = decide_all(bench, tracks, None, detects=False)
        pairs = {
            detects: interleaved(
                ROUNDS,
                partial(decide_all, bench, tracks, journal, detects=detects),
                partial(decide_all, bench, tracks, None, detects=detects),
            )
            for detects in (True, False)
        }
    count = f"{len(found)} a round, {found.count('grant')} of them grants"
    return [
        compare_times(
            f"decisions from frames with the journal, against without: {count}", *pairs[True], len(found), 0.95
        ),
        compare_times(f"the same from shots, without detection: {count}", *pairs[False], len(found), None),
    ]


def latency(state: Path) -> Row:
    """How long a grant waits to be on disk, median, against the wait after which it is not sent."""
    with running(state) as journal:
        waits = sorted(1000 * timed(partial(journal.append_now, "grant", BODY, 10.0)) for _ in range(500))
    middle, slow = statistics.median(waits), waits[int(0.99 * len(waits))]
    bound = 1000 * GRANT_WAIT_S
    name = f"a grant's entry on disk, against the longest wait; 99 of 100 within {slow:.1f} ms"
    spread = {"ours": quartiles(waits), "theirs": [bound, bound]}
    return Row(name, round(middle, 3), bound, "ms", round(bound / middle, 1), 1.0, spread)


def durable(state: Path) -> Row:
    """Entries a second, all on disk at the end, in batches by the thread against one transaction each."""
    count, few = 4000, 200
    with running(state) as journal:
        ours = [timed(partial(append_all, journal, count)) / count for _ in range(ROUNDS)]
    with Chain.open(state) as chain:
        stamp = Stamp()
        theirs = [timed(partial(one_by_one, chain, stamp, few)) / few for _ in range(ROUNDS)]
    a, b = ([1 / second for second in side] for side in (ours, theirs))
    ratio = statistics.median(a) / statistics.median(b)
    name = "durable journal entries, batches against one fsync each"
    spread = {"ours": quartiles(a), "theirs": quartiles(b)}
    return Row(name, round(statistics.median(a)), round(statistics.median(b)), "1/s", round(ratio, 2), 1.0, spread)


def verified(state: Path) -> Row:
    """Seconds to verify a long journal against its head; the goal is 60 s for a million entries."""
    stamp, step = Stamp(), 10_000
    with Chain.open(state) as chain:
        for _ in range(0, ENTRIES, step):
            chain.append([stamp.draft("decision", BODY)] * step)
        last, key = chain.last(), chain.signer.public
        head = chain.signer.head(last.seq, last.hash)
    started = time.perf_counter()
    report = verify(state / "journal.db", key, head)
    took = time.perf_counter() - started
    if not report.is_whole:
        raise SystemExit(f"the journal of the benchmark is broken: {report.problem}")
    goal = VERIFY_GOAL_S * ENTRIES / 1_000_000
    name = f"verify {report.entries:,} entries, one run, against the goal"
    return Row(name, round(took, 2), goal, "s", round(goal / took, 2), 1.0, {"ours": [took] * 2, "theirs": [goal] * 2})


@contextmanager
def running(state: Path) -> Iterator[Journal]:
    """A started journal."""
    journal = Journal.of(state, Keep(), lambda why: None if why is None else fail(why))
    journal.start()
    try:
        yield journal
    finally:
        journal.stop()


def fail(why: str) -> None:
    """A benchmark of a journal that cannot be written is none."""
    raise SystemExit(why)


def append_all(journal: Journal, count: int) -> None:
    """As the flow does, which never waits; the last one waits for all."""
    for _ in range(count):
        journal.append("decision", BODY)
    journal.append_now("decision", BODY, 60.0)


def one_by_one(chain: Chain, stamp: Stamp, count: int) -> None:
    """A transaction each."""
    for _ in range(count):
        chain.append([stamp.draft("decision", BODY)])


Sight = tuple[Frame, Shot]


def short_tracks(bench: Bench) -> list[list[Sight]]:
    """The usable shots of the demo clip with their frames, as tracks of as many shots as a decision needs."""
    detect, judge, votes = DetectStage(bench.vision, lambda _: None), judge_of(bench), bench.rules.votes
    sights = [(frame, shot) for frame in frames(bench.clip) for shot in detect([frame]) if judge.is_usable(shot)]
    by_track = groupby(sorted(sights, key=lambda sight: sight[1].track), lambda sight: sight[1].track)
    groups = [list(group) for _, group in by_track]
    pieces = [group[at : at + votes] for group in groups for at in range(0, len(group) - votes + 1, votes)]
    return [[(frame, replace(shot, track=n)) for frame, shot in piece] for n, piece in enumerate(pieces)]


def decide_all(bench: Bench, tracks: list[list[Sight]], journal: Journal | None, *, detects: bool) -> list[str]:
    """Detects if asked to, recognises, judges and publishes; a door takes every grant. Returns the outcomes."""
    publisher = Publisher(
        Taker(), {"entry": [Door()]}, lambda _: None, lambda *_: None, realtime=False, journal=journal, limits=LIMITS
    )
    recognise = RecogniseStage(bench.vision, bench.identifier, judge_of(bench), publisher, None, allowed)
    outcomes = []
    for sights in tracks:
        for frame, _ in sights if detects else ():
            bench.vision.detector.detect([frame.image])
        outcomes += [decision.outcome for decision in recognise([shot for _, shot in sights])]
    return outcomes


def allowed(decision: Decision) -> Decision:
    """Rules that allow everything."""
    return replace(decision, doors=("main",))


class Taker:
    """A door link that takes every grant and never answers."""

    def send_grant(self, *_: Any, **__: Any) -> str | None:
        """On its way."""
        return None

    def publish_decision(self, body: dict[str, Any]) -> None:
        """Heard by nobody."""
