"""An attacker with every right on the broker: reads, replays, invents. Nothing opens but what is genuine."""

from __future__ import annotations

import inspect
import statistics
import time
from types import ModuleType

import pytest

from faceedge.door import contract, verifier
from tests.door.attack import ATTACKS, ATTACKS_EACH, GENUINE, Outcome, Player, Scene, Step
from tests.door.players import Example, Reference

MAX_VERIFY_S = 0.005


def spoiled_reference(old: str, new: str) -> Player:
    """A reference verifier with a mistake in it."""
    sources = [inspect.getsource(module) for module in (contract, verifier)]
    assert any(old in source for source in sources)
    spoiled_contract, spoiled = ModuleType(contract.__name__), ModuleType(verifier.__name__)
    for module, source in zip((spoiled_contract, spoiled), sources, strict=True):
        exec(source.replace(old, new), vars(module))
    for name in ("unseal", "BadMessage"):
        setattr(spoiled, name, getattr(spoiled_contract, name))
    return Reference(spoiled)


def test_ten_thousand_attacks_open_neither_controller_and_a_thousand_genuine_grants_open_both() -> None:
    scene = Scene(Reference(), Example())
    scene.run()
    assert scene.opened == [{"genuine": GENUINE}, {"genuine": GENUINE}]
    assert sum(scene.kinds[name] for name, _ in ATTACKS) == GENUINE * ATTACKS_EACH
    assert all(scene.kinds[name] > 400 for name, _ in ATTACKS)


def test_both_controllers_answer_every_message_with_the_same_bytes() -> None:
    scene = Scene(Reference(), Example(), seed=8)
    scene.run(200)
    assert all(reference == example for reference, example in scene.outcomes)


COMPARED = "hmac.compare_digest(_mac(key, kind.label, text), mac)"
MISTAKES = {
    "forged": (COMPARED, "True"),
    "bit flipped": (COMPARED, "_mac(key, kind.label, text)[0] == mac[0]"),
    "other label": (COMPARED, f"({COMPARED} or _mac(key, 'faceedge-grant-2', text) == mac)"),
    "key twice": ("len(values) != len(pairs)", "False"),
    "malformed": ("parse_float=_refuse", "parse_float=lambda text: int(float(text))"),
    "huge": ("<= MAC_CHARS + 1 + MAX_BODY", "<= 10_000"),
    "other door": ("Address(grant.dev, grant.door, grant.ctl) != self.address", "False"),
    "other key's name": ("or grant.kid != key.kid", ""),
    "after a restore": ("if asked.nonce == grant.n", "if True"),
    "replayed": ("asked.is_spent = self._has_opened = True", "self._has_opened = True"),
    "late": ("min(MAX_AGE_S, grant.ttl_ms / 1000)", "MAX_AGE_S"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_the_attacks_open_a_reference_verifier_with_a_mistake(kind: str) -> None:
    """The test above can fail."""
    scene = Scene(spoiled_reference(*MISTAKES[kind]))
    scene.run(100)
    assert scene.opened[0][kind] > 0


EXAMPLE_COMPARED = "is_same(key.mac(label, body), mac)"
EXAMPLE_MISTAKES = {
    "forged": (f"if {EXAMPLE_COMPARED}", "if True"),
    "bit flipped": ("difference |= mine ^ other", "difference |= (mine ^ other) & ~0x1F"),
    "other label": (EXAMPLE_COMPARED, f"({EXAMPLE_COMPARED} or key.mac(b'faceedge-grant-2', body) == mac)"),
    "key twice": ("pair is None or pair.group(1) in fields", "pair is None"),
    "malformed": ('len(text) > 1 and text[0] == "0"', "False"),
    "huge": ("<= MAC_CHARS + 1 + MAX_BODY", "<= 10_000"),
    "other controller": ('grant["door"], grant["ctl"]) != self._address', 'grant["door"]) != self._address[:2]'),
    "other key's name": ('or grant["kid"] != key.kid', ""),
    "before the reboot": ('if asked.nonce == grant["n"]', "if True"),
    "replayed": ("answered[0].is_spent = self._has_opened = True", "self._has_opened = True"),
    "late": ('min(MAX_AGE_MS, grant["ttl_ms"])', "MAX_AGE_MS"),
}


@pytest.mark.parametrize("kind", EXAMPLE_MISTAKES)
def test_the_attacks_open_an_example_with_a_mistake(kind: str) -> None:
    scene = Scene(Example(EXAMPLE_MISTAKES[kind]))
    scene.run(100)
    assert scene.opened[0][kind] > 0


def test_a_message_is_verified_in_less_than_five_milliseconds() -> None:
    """The median; each kind of attack alone, so that no cheap one hides a dear one."""

    class Timed:
        def __init__(self, player: Player) -> None:
            self.player = player
            self.seconds: dict[str, list[float]] = {}

        def play(self, step: Step) -> Outcome:
            start = time.perf_counter()
            outcome = self.player.play(step)
            self.seconds.setdefault(step.kind, []).append(time.perf_counter() - start)
            return outcome

    players = [Timed(Reference()), Timed(Example())]
    Scene(*players).run(100)
    for player in players:
        assert max(statistics.median(seconds) for seconds in player.seconds.values()) < MAX_VERIFY_S
