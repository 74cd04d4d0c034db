"""What a recogniser's answer says of the picture: its own number on a scale, or a small network beside it."""

from __future__ import annotations

import base64
import math

import numpy as np
import pytest
from pydantic import ValidationError

from faceedge.fit import Fit, LightHead, RecogniserQuality, Thresholds
from faceedge.measures import NAMES
from faceedge.package import as_toml
from faceedge.quality_head import COVERED, FEATURES, NO_FACE, NO_FACE_QUALITY, Head, Source, features, groups, inputs
from faceedge.toml import tomllib
from faceedge.types import Floats, Template

DIMENSION, UNITS = 16, 4
INPUTS = sum(groups(DIMENSION))
KNOTS = ((-2.0, 0.0), (0.0, 0.4), (1.0, 0.6), (3.0, 1.0))


def head(covered: float = 50.0, face: float = -50.0, **parts: object) -> LightHead:
    """Weights drawn by a seed; by default nothing is called covered, and everything a face."""
    dice = np.random.default_rng(5)
    table = dice.integers(-127, 128, (INPUTS, UNITS)).astype(np.int8)
    row = (0.01,) * UNITS
    made = {
        "detector": "0123456789ab", "scheme": "eyes_nose_mouth", "dimension": DIMENSION, "units": UNITS,
        "means": (0.0,) * groups(0)[0], "scales": (1.0,) * groups(0)[0],
        "weights": base64.b64encode(table.tobytes()).decode(), "steps": (row, row, row), "bias": (0.1,) * UNITS,
        "out": ((1.0, -1.0, 0.5, 0.2),) * 3, "out_bias": (0.3, 0.2, 0.1), "covered": covered, "face": face,
    }  # fmt: skip
    return LightHead.model_validate(made | parts)


def fitted(made: LightHead | None = None, output: str = "head") -> RecogniserQuality:
    return RecogniserQuality(output=output, knots=KNOTS, head=made, evidence="made up for a test")


def template(norm: float = 8.0, aux: dict[str, float] | None = None) -> Template:
    vector = np.random.default_rng(1).normal(size=DIMENSION)
    return Template((vector / np.linalg.norm(vector)).astype(np.float32), norm, "space", aux or {})


def seen() -> Floats:
    grey = np.random.default_rng(2).integers(0, 255, (112, 112), np.uint8)
    return features(np.linspace(-1, 1, len(NAMES), dtype=np.float32), grey)


def test_a_head_survives_the_way_through_fit_toml() -> None:
    fit = Fit(thresholds=Thresholds(grey=0.3, match=0.4, strict=0.5), evidence="x", quality=fitted(head()))
    back = Fit.model_validate(tomllib.loads(as_toml(fit)))
    assert back == fit
    assert back.quality is not None
    assert Source(back.quality).forecast(seen(), template()) == Source(fitted(head())).forecast(seen(), template())


def test_a_head_computes_what_its_numbers_say() -> None:
    made = head()
    table = np.frombuffer(base64.b64decode(made.weights), np.int8).reshape(INPUTS, UNITS) * 0.01
    one = template()
    means, scales = (np.array(row, np.float32) for row in (made.means, made.scales))
    fed = inputs(seen()[None], np.array([one.norm], np.float32), one.embedding[None], means, scales)
    wanted = np.tanh(fed @ table + 0.1) @ np.array(made.out).T + np.array(made.out_bias)
    said = Head(made).logits(seen()[None], np.array([one.norm], np.float32), one.embedding[None])
    assert np.allclose(said, wanted, atol=1e-4)


def test_what_is_called_no_face_is_worth_little_and_says_so() -> None:
    said = Source(fitted(head(face=50.0))).forecast(seen(), template())
    assert (said.quality <= NO_FACE_QUALITY < 0.3, said.reason) == (True, NO_FACE)


def test_what_is_called_covered_says_so() -> None:
    assert Source(fitted(head(covered=-50.0))).forecast(seen(), template()).reason == COVERED
    assert Source(fitted(head())).forecast(seen(), template()).reason == ""


def test_a_head_that_cannot_compute_calls_it_no_face() -> None:
    broken = seen()
    broken[0] = np.nan
    said = Source(fitted(head())).forecast(broken, template())
    assert (said.quality, said.reason) == (0.0, NO_FACE)


def test_a_face_that_was_not_measured_is_worth_nothing_to_a_head() -> None:
    assert Source(fitted(head())).forecast(None, template()).quality == 0.0


def test_the_norm_and_any_other_output_are_mapped_by_the_knots() -> None:
    by_norm = Source(fitted(output="norm")).forecast(None, template(norm=0.5))
    assert (by_norm.quality, by_norm.raw) == (pytest.approx(0.5), 0.5)
    by_output = Source(fitted(output="temperature")).forecast(None, template(aux={"temperature": 2.0}))
    assert by_output.quality == pytest.approx(0.8)


def test_an_output_that_the_recogniser_did_not_give_is_worth_nothing() -> None:
    said = Source(fitted(output="temperature")).forecast(None, template())
    assert said.quality == 0.0
    assert math.isnan(said.raw)


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"bias": (0.1,)}, "rows of other than"),
        ({"scales": (0.0,) * groups(0)[0]}, "do not belong together"),
        ({"weights": "AAA"}, "weights"),
        ({"weights": base64.b64encode(b"12345").decode()}, "cut short"),
        ({"version": 2}, "version"),
    ],
)
def test_a_head_that_is_not_whole_is_refused_when_it_is_read(parts: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        head(**parts)


def test_a_head_for_other_inputs_is_refused_when_it_is_opened() -> None:
    with pytest.raises(ValueError, match="fit it anew"):
        Head(head(dimension=DIMENSION + 1))


def test_a_table_of_a_head_and_the_word_head_belong_together() -> None:
    with pytest.raises(ValidationError, match="belong together"):
        fitted(None)
    with pytest.raises(ValidationError, match="belong together"):
        fitted(head(), output="norm")


def test_features_are_the_measures_and_a_thumbnail() -> None:
    grey = np.full((112, 112), 77, np.uint8)
    row = np.arange(len(NAMES), dtype=np.float32)
    found = features(row, grey)
    assert found.shape == (FEATURES,)
    assert found[: len(NAMES)].tolist() == row.tolist()
    assert set(found[len(NAMES) :].tolist()) == {77.0}
