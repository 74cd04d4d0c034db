"""What somebody wants to serve, and the steps on the way there: quick to import, for whoever only asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from faceedge.errors import BadInput
from faceedge.manifest import Role

Step = Literal["stage", "verify", "prepare", "switch", "retire"]
STEPS: tuple[Step, ...] = ("stage", "verify", "prepare", "switch", "retire")
LONGEST_SHADOW_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants to serve. name: `name` or `name@version`; empty: the one that served `role` before.

    role: may be None where a name says it. shadow_s: how long the new one looks on before it serves. canary: share of
    tracks (0..1) that it then decides together with the old one. dual: people whom it cannot know are still recognised
    by the old one. agreed: also when people then must be enrolled again. accept_worse: why an INT8 package without
    passed gates is to serve. by: `cli`, `mqtt:<kid>`, or `rule`.
    """

    role: Role | None = None
    name: str = ""
    shadow_s: float = 0.0
    canary: float = 0.0
    dual: bool = False
    agreed: bool = False
    accept_worse: str = ""
    by: str = "cli"

    def __post_init__(self) -> None:
        if not (self.name or self.role):
            raise BadInput("name a package, or the role whose package before is to serve again")
        if not (0 <= self.shadow_s <= LONGEST_SHADOW_S and 0 <= self.canary <= 1):
            raise BadInput("a shadow lasts a day at most, and a canary takes a share between 0 and 1")
