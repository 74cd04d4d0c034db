"""What an audit of a gallery found: plain values, for text, JSON, pages and proposals. People and templates are ids.

Scores are similarities of the recogniser's metric (`gallery.search`), 1 is identical. Rates are shares, 0..1. An
impostor comparison is one of two templates of different people, a genuine one of two of the same person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from faceedge.fit import Basis, Thresholds

LevelName = Literal["grey", "match", "strict"]
LEVELS: tuple[LevelName, ...] = ("grey", "match", "strict")

Reason = Literal["unlike_own", "nearer_to_another", "lifts_ceiling", "blurred", "low_quality", "short_vector"]
"""Why a template does more harm than good.

unlike_own: below the grey threshold to all that the rest of the person agree on; somebody else may be on the picture.
nearer_to_another: more like somebody else, by the grey threshold or more, than like any other of its own person.
lifts_ceiling: it alone brings its person too close to somebody else; without it they are apart.
blurred: the crop kept with it is. low_quality: so it was called at enrolment. short_vector: its length before
normalisation is far below that of the others, as of a face that the network hardly saw.
"""

Kind = Literal["same_person", "one_template", "look_alike"]
"""What two people too close to each other are: one person enrolled twice, by the scores of most of their templates; two
people whom a single bad template brings together; two people who look alike."""


@dataclass(frozen=True, slots=True)
class Record:
    """What the gallery says of one template. created: unix seconds. quality: 0..1, at enrolment. sharpness: of the crop
    kept with it (`measures.sharpness`); None without a crop. source: in words, may name a file."""

    id: str
    person: str
    created: int
    quality: float
    build: str
    source: str = ""
    sharpness: float | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """One template among the others. own: its best score with its person's other templates, None when it is the only
    one. other: its best score with anybody else's, None when there is nobody else; nearest: of which person,
    nearest_template: by which template. norm: length before normalisation."""

    record: Record
    norm: float
    own: float | None
    other: float | None
    nearest: str | None
    nearest_template: str | None


@dataclass(frozen=True, slots=True)
class Suspect:
    """A template that does more harm than good. near: the person it is too near to, if it is to one.

    sure: whether the audit would propose its removal; not when it cannot tell which of two templates is the wrong one.
    ceiling: highest impostor score of its person now; without: the same without this template; None of nobody.
    """

    facts: Facts
    reasons: tuple[Reason, ...]
    sure: bool
    near: str | None
    ceiling: float | None
    without: float | None


@dataclass(frozen=True, slots=True)
class ClosePair:
    """Two people with templates too close for what a door demands. score: the best of all, between the templates
    `one_template` and `other_template`; median: of all scores between them; over: how many of the `pairs` of templates
    reach the threshold."""

    one: str
    other: str
    kind: Kind
    score: float
    median: float
    over: int
    pairs: int
    one_template: str
    other_template: str


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """One person. weakest: id of the template least like the others of the person, with its score; None with one
    template. nearest: the person who comes closest, with the score. oldest, newest: unix seconds."""

    id: str
    name: str
    templates: int
    weakest: str | None
    weakest_score: float | None
    nearest: str | None
    nearest_score: float | None
    oldest: int
    newest: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that a false-match rate may be with the stated confidence, after `errors` in `pairs` pairs of people as
    they are enrolled: whom enrolment refused for looking like somebody is missing.

    errors: pairs of people that match, each by the share of its templates' comparisons that do: it may be a fraction.
    naive: as if all pairs were independent, which they are not: nobody may claim it. likely: with the design effect
    `effect` of people who take part in many pairs. assured: from pairs of people that share nobody, which needs no such
    estimate; exact where nobody matches, else an estimate, too. `bounds.py` says how.
    """

    errors: float
    pairs: int
    rate: float
    naive: float
    likely: float
    assured: float
    effect: float


@dataclass(frozen=True, slots=True)
class SearchRate:
    """The share of people who, as strangers, would be taken for somebody in a search of everybody else (false-positive
    identification rate, ISO/IEC 19795-1). upper: the most it may be with the stated confidence."""

    rate: float
    upper: float
    people: int


@dataclass(frozen=True, slots=True)
class MissRate:
    """The share of templates that their person's others do not reach (false non-matches), people counting alike. None
    where nobody has two templates."""

    rate: float | None
    upper: float | None
    people: int


@dataclass(frozen=True, slots=True)
class LevelFacts:
    """What a threshold does in this gallery. matches: of the `comparisons` of impostor templates; people_pairs: pairs
    of people with at least one. false_match: None where there are no two people, or more matches than are kept."""

    name: LevelName
    threshold: float
    matches: int
    comparisons: int
    people_pairs: int | None
    false_match: Bounds | None
    search: SearchRate | None
    miss: MissRate


@dataclass(frozen=True, slots=True)
class Advice:
    """The threshold for a stated false-match rate. threshold: never below the shipped one unless `basis` is counted.
    likely: upper bound of the rate there; None where none can be stated. needed: people who would show `fmr` at the
    rate seen here; None where these do, and where that rate is higher."""

    name: LevelName
    fmr: float
    shipped: float
    threshold: float
    basis: Basis
    likely: float | None
    needed: int | None


@dataclass(frozen=True, slots=True)
class Point:
    """One threshold of the DET curve. likely: upper bound of the false-match rate; None below what is kept."""

    threshold: float
    fmr: float
    likely: float | None
    fnmr: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """Counts of scores in even steps. edges: float64 (n + 1,), rising; impostors, genuine: int64 (n,), comparisons of
    templates. What lies outside counts in the first or the last."""

    edges: NDArray[np.float64]
    impostors: NDArray[np.int64]
    genuine: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The two people, ids, and their best score: the closest pairs of the gallery, closest first, below and above any
    threshold."""

    one: str
    other: str
    score: float


@dataclass(frozen=True, slots=True)
class Ages:
    """Unix seconds of creation: oldest, median, newest; None of nobody. older: templates older than `limit_days`."""

    oldest: int | None
    median: int | None
    newest: int | None
    older: int
    limit_days: int


@dataclass(frozen=True, slots=True, eq=False)
class Audit:
    """All of it, for the templates of one space.

    made: unix seconds. left_out: templates of other spaces; unknown: people with none of this space. thresholds: those
    that serve; demanded: what a door demands, `match` or `strict`. ceiling: the highest impostor score, `ceiling_pair`
    the two templates that have it. claims, limits: sentences, what the site may say from these numbers and what not.
    """

    made: int
    recogniser: str
    space: str
    metric: str
    confidence: float
    people: tuple[PersonFacts, ...]
    templates: int
    left_out: int
    unknown: int
    thresholds: Thresholds
    shipped: Thresholds
    demanded: LevelName
    ceiling: float | None
    ceiling_pair: tuple[str, str] | None
    levels: tuple[LevelFacts, ...]
    advice: tuple[Advice, ...]
    close_pairs: tuple[ClosePair, ...]
    suspects: tuple[Suspect, ...]
    ages: Ages
    facts: tuple[Facts, ...]
    curve: tuple[Point, ...]
    histogram: Histogram
    neighbours: tuple[Neighbour, ...]
    claims: tuple[str, ...]
    limits: tuple[str, ...]

    @property
    def names(self) -> dict[str, str]:
        """How people are called, by id."""
        return {person.id: person.name for person in self.people}
