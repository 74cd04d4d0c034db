"""Device side: the freshest challenge of one controller, which the next grant must answer. Pure.

Anyone on the broker can play recorded challenges back, and their MACs hold. That must not hide the live one:
- within one boot the counter must rise, so a replay of anything already heard is void;
- a boot id never heard before may be a restart or an old recording. It is kept beside the others and used only
  while the proven boot is silent, those under the newest key first: an old key's recordings may be all that is left
  of it, and a controller that has it no more does not even refuse;
- a verdict on a grant of ours proves its boot to be alive (the grant's id was new, so no recording holds it).
So a flood of recordings costs at most one lost grant: the controller's refusal names the boot that lives. No boot is
ever shut out for good, so that no verdict held back can turn the device against the live one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from faceedge.door.contract import BadMessage, Challenge, DoorKey, unseal

FRESH_S = 2.0
ANSWERS_S = 3.5
"""Three challenges may be missed before a controller counts as silent."""
MAX_BOOTS = 8


@dataclass(slots=True)
class Heard:
    """The last challenge of one boot. at: monotonic second of its arrival. key: sealed it, and seals the answer."""

    boot: str
    nonce: str
    ctr: int
    at: float
    key: DoorKey
    is_spent: bool = False


class Challenges:
    """What one controller has asked. `counts` tells what became of every message."""

    def __init__(self, keys: Sequence[DoorKey], clock: Callable[[], float]) -> None:
        self._keys = keys
        self._clock = clock
        self._heard: dict[str, Heard] = {}
        self._proven = ""
        self._proven_by = -math.inf
        self.counts: Counter[str] = Counter()

    def receive(self, wire: bytes) -> bool:
        """Remembers a challenge if it is genuine and newer than what is known; says whether it was."""
        try:
            challenge, key = unseal(Challenge, wire, self._keys)
        except BadMessage as bad:
            self.counts[f"challenge {bad}"] += 1
            return False
        if not self._is_new(challenge):
            self.counts["challenge replayed"] += 1
            return False
        self._heard[challenge.boot] = Heard(challenge.boot, challenge.n, challenge.ctr, self._clock(), key)
        self._forget_oldest()
        return True

    def fresh(self) -> Heard | None:
        """The challenge to answer now: unspent and heard within `FRESH_S`, of the boot most likely alive."""
        unspent = [heard for heard in self._alive(FRESH_S) if not heard.is_spent]
        return max(unspent, key=self._likelihood, default=None)

    def living(self) -> Heard | None:
        """The last challenge, spent or not, heard within `ANSWERS_S`: the controller is there."""
        return max(self._alive(ANSWERS_S), key=self._likelihood, default=None)

    def expire(self) -> None:
        """The connection they were heard on is gone: wait for one that shows the way to be whole again."""
        for heard in self._heard.values():
            heard.is_spent = True

    def prove(self, boot: str, sent_at: float) -> None:
        """A verdict on a grant that we sent then came from this boot: it lives. What a later grant has shown stands."""
        if sent_at >= self._proven_by:
            self._proven, self._proven_by = boot, sent_at

    def _alive(self, within_s: float) -> list[Heard]:
        """The recent challenges of the proven boot, else of all."""
        since = self._clock() - within_s
        recent = [heard for heard in self._heard.values() if heard.at >= since]
        return [heard for heard in recent if heard.boot == self._proven] or recent

    def _is_new(self, challenge: Challenge) -> bool:
        known = self._heard.get(challenge.boot)
        return known is None or challenge.ctr > known.ctr

    def _likelihood(self, heard: Heard) -> tuple[int, float]:
        """That a boot lives of which no verdict has come: by how new its key is, then by how lately it was heard."""
        return self._keys.index(heard.key), heard.at

    def _forget_oldest(self) -> None:
        """Bounds memory; the proven boot stays."""
        while len(self._heard) > MAX_BOOTS:
            strangers = [heard for heard in self._heard.values() if heard.boot != self._proven]
            del self._heard[min(strangers, key=self._likelihood).boot]
