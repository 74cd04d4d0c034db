"""An audit as one JSON document: the fields of `findings.Audit` by their names, and whether the gallery is clean."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from faceedge.jobs.audit.findings import Audit


def is_clean(audit: Audit) -> bool:
    """Whether nothing waits for a person: no template to be removed, nobody enrolled twice."""
    return not any(one.sure for one in audit.suspects) and not any(
        pair.kind == "same_person" for pair in audit.close_pairs
    )


def document(audit: Audit) -> dict[str, Any]:
    """Plain values only."""
    found = {field.name: _plain(getattr(audit, field.name)) for field in fields(audit)}
    return {"clean": is_clean(audit)} | found


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "__dataclass_fields__"):
        return {key: _plain(one) for key, one in asdict(value).items()}
    return value.tolist() if hasattr(value, "tolist") else value
