"""What entries about decisions hold, and what events about them share. Ids of people, never names. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from faceedge.config import Door
from faceedge.door.contract import fresh_token
from faceedge.door.events import DecisionEvent, Letter, ModelEvent, Verdict, letter
from faceedge.door.link import GrantResult
from faceedge.door.signed import SecondFactor, Signs, sign
from faceedge.journal.entry import unix_ms
from faceedge.types import SECOND_FACTOR_S, Decision


def seen(decision: Decision) -> dict[str, Any]:
    """A decision and its evidence as JSON types; numbers rounded to what they are worth."""
    evidence = decision.evidence
    return {
        "camera": decision.camera,
        "track": decision.track,
        "segment": decision.segment,
        "outcome": decision.outcome,
        "reason": decision.reason,
        "band": decision.band,
        "person": decision.person,
        "similarity": _rounded(evidence.similarity, 4),
        "margin": _rounded(evidence.margin, 4),
        "quality": _rounded(evidence.quality, 3),
        "votes": evidence.votes,
        "shots": evidence.shots,
        "seq": evidence.seq,
        "box": [round(side, 1) for side in evidence.box] if evidence.box else None,
        "poor": list(evidence.poor),
    }


def decision_body(matter: str, decision: Decision, limits: Mapping[str, float], age_ms: float | None) -> dict[str, Any]:
    """matter: id that the entries about one decision share. limits: what the numbers were measured by.

    age_ms: from the picture to the decision, None when a file was played at its own speed. `review`: id of the one
    that a second factor has confirmed.
    """
    rests_on = {"review": decision.factor.review} if decision.factor is not None else {}
    return {"id": matter, **seen(decision), **rests_on, "limits": dict(limits), "age_ms": age_ms}


def own_limits_body(own: Mapping[str, Mapping[str, float]], decision: Decision) -> dict[str, Any]:
    """For a camera with doors that have numbers of their own. own: by door, only those that differ from `limits`.

    `fit`: the doors whose numbers were met; the rules are asked about no other.
    """
    return {"own_limits": {door: dict(limits) for door, limits in own.items()}, "fit": list(decision.fit or ())}


def asked_body(review: Decision) -> dict[str, Any]:
    """A review that asks for a second factor, which would open these doors."""
    valid_ms = round(1000 * SECOND_FACTOR_S)
    return {"id": review.id, "person": review.person, "doors": list(review.doors), "valid_ms": valid_ms}


def grant_body(matter: str, decision: Decision, doors: Sequence[Door]) -> dict[str, Any]:
    """A grant that is about to be sent to these doors."""
    return {"id": matter, "person": decision.person, "doors": [door.name for door in doors]}


def verdict_body(matter: str, result: GrantResult, latency_ms: float | None) -> dict[str, Any]:
    """What became of a grant at one door. latency_ms: since the picture; `answer_ms`: since the grant was sent."""
    is_answer = result.verdict in ("opened", "refused")
    return {
        "id": matter,
        "door": result.door or None,
        "controller": result.controller or None,
        "verdict": result.verdict,
        "why": result.why,
        "answer_ms": round(1000 * result.seconds, 1) if is_answer else None,
        "latency_ms": latency_ms,
    }


def decision_letter(decision: Decision, doors: Sequence[str], verdict: Verdict | None, why: str) -> Letter:
    """The event about a decision, and what became of its grant at these doors. Who it was is told of an open door."""
    return letter(
        DecisionEvent(
            time_ms=unix_ms(),
            decision=decision.id,
            camera=decision.camera,
            doors=tuple(doors),
            outcome=decision.outcome,
            reason=decision.reason,
            band=decision.band,
            verdict=verdict,
            why=why[:400],
            sub=(decision.person or "") if verdict == "opened" else "",
        )
    )


def model_letter(body: Mapping[str, Any]) -> Letter | None:
    """The event about a swap of networks, of what the journal notes of it; None for what is none, such as a package
    that was deleted."""
    if body["done"] not in ("activated", "rolled_back", "failed", "went_back"):
        return None
    return letter(
        ModelEvent(
            time_ms=unix_ms(),
            what=body["done"],
            role=body.get("role"),
            package=body["package"],
            before=body.get("before", ""),
            ok=body["done"] in ("activated", "rolled_back"),
            step=body.get("step"),
            why=body.get("why", "")[:400],
            by=body.get("by", "cli"),
        )
    )


def second_factor_letter(device: str, signer: Signs, review: Decision) -> Letter:
    """The event, signed by the device, that asks for a second factor."""
    body = SecondFactor(
        id=fresh_token(),
        dev=device,
        decision=review.id,
        camera=review.camera,
        doors=list(review.doors),
        sub=review.person or "",
        reason=review.reason,
        valid_ms=round(1000 * SECOND_FACTOR_S),
    )
    return Letter(body.id, "second_factor", sign(signer, body))


def unsent_body(matter: str, why: str) -> dict[str, Any]:
    """A grant that was not sent, because it could not be written down before."""
    return {"id": matter, "verdict": "unsent", "why": why}


def _rounded(value: float | None, digits: int) -> float | None:
    """None also for the infinite margin of a gallery of one, and for what is no number: JSON has neither."""
    return None if value is None or not math.isfinite(value) else round(value, digits)
