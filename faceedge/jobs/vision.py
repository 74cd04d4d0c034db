"""The networks of one configuration, opened and ready: detector, recogniser and their preprocessor.

Used by the daemon, by enrolment, and by every command that looks at photos.
"""

from __future__ import annotations

from dataclasses import dataclass

from faceedge.types import Assessment, Face, Image, Template


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """Everything known of one face of a photo. crop: the recogniser's input, uint8 BGR."""

    face: Face
    crop: Image
    assessment: Assessment
    template: Template
