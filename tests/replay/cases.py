"""The films that are replayed: what is shown, who is enrolled from what, and which mistakes are known.

People go by the labels of the data set (`timeline.csv`); the astronaut by what she is called in the demo.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from faceedge.demo.stand import FILM

DEMO = "demo"
"""In place of a film below `dev/video`: the clip that the demo renders, which needs no assets."""
SMALL = {"min_face_px": 45}
"""The signers stand far away: 49 to 66 px, where a door asks for 80."""


@dataclass(frozen=True)
class Case:
    """One film. people: by label, the clips that they are enrolled from. decide: as in the configuration.

    misses: scenes, by their first frame, in which the answer is known to be wrong, each with its reason.
    """

    name: str
    film: str
    networks: Literal["default", "fast"]
    people: Mapping[str, tuple[str, ...]]
    decide: Mapping[str, Any] = field(default_factory=dict)
    misses: Mapping[int, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


SIGNERS = {
    "asl_p2": ("asl_p2__bird.mkv", "asl_p2__please.mkv"),
    "asl_p3": ("asl_p3__walk.mkv",),
    "asl_p4": ("asl_p4__sister.mkv",),
}
SPEAKERS = {"grid_01": ("grid_01__brbk7n.mpg",), "grid_03": ("grid_03__lwbsza.mpg",)}
EVERYBODY = {**SIGNERS, **SPEAKERS}
"""Nobody of them is in the films of strangers."""

PHOTOS: Mapping[str, Any] = FILM["decide"]
"""The figures of the demo are cut out of photos, and say so in its configuration."""

CASES = (
    Case("demo", DEMO, "default", {"astronaut": ()}, PHOTOS),
    Case("talking_heads", "talking_heads.mp4", "default", SPEAKERS),
    Case("talking_heads_fast", "talking_heads.mp4", "fast", SPEAKERS),
    Case(
        "door_loop",
        "door_loop.mp4",
        "fast",
        SIGNERS,
        SMALL,
        misses={199: "a face of 56 px, there for 1.7 s, shows too little movement to be told from a photo"},
    ),
    Case("head_pose", "head_pose_male.mp4", "fast", EVERYBODY, SMALL),
    Case("crowd", "crowd_720p.mp4", "fast", EVERYBODY, SMALL),
    Case("stage", "stage_two_people.mp4", "fast", EVERYBODY, SMALL),
    Case("from_behind", "no_face_people_from_behind.mp4", "fast", EVERYBODY, SMALL),
    Case("held_photo", "spoof_held_photo.mp4", "fast", SPEAKERS),
)
