"""What the pipeline's comparisons share: the demo clip, the default networks, and the astronaut enrolled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from faceedge.config import Decide, EngineSettings, Models, cache_dir
from faceedge.demo.clip import cached
from faceedge.demo.photos import astronaut
from faceedge.gallery.search import Index, similarity
from faceedge.identify import Identifier
from faceedge.jobs.open_vision import open_vision
from faceedge.jobs.vision import Vision
from faceedge.types import Template


@dataclass(frozen=True)
class Bench:
    """One opened set of networks and the clip that they look at."""

    clip: Path
    vision: Vision
    identifier: Identifier
    similarity: Callable[[Template, Template], float]
    rules: Decide


@contextmanager
def opened() -> Iterator[Bench]:
    """The default networks with one thread each, as the daemon opens them."""
    clip, _ = cached(cache_dir())
    with open_vision(Models(), EngineSettings(), Path("/nonexistent"), cache_dir()) as vision:
        known = vision.portraits(astronaut())[0].template
        index = Index(
            ["astronaut"], known.embedding[None], np.array([known.norm], np.float32), vision.metric, vision.space
        )
        yield Bench(clip, vision, Identifier(index), partial(similarity, metric=vision.metric), Decide())
