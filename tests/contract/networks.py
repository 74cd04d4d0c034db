"""The networks that the suite runs: those of the assets, and one made up on the spot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from faceedge.backends.base import Tensor

CROP, SMALL_CANVAS = (3, 112, 112), (3, 64, 96)


@dataclass(frozen=True, slots=True)
class Network:
    """file: of the assets, empty is the made-up one. inputs: shape of one member of a batch by name; an input of one
    dimension is a factor. turns: how often each of several threads asks at once. slow: for `make soak` alone."""

    name: str
    file: str
    inputs: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: {"input": CROP})
    max_batch: int = 4
    turns: int = 2
    slow: bool = False

    def batch(self, size: int, seed: int = 0) -> dict[str, Tensor]:
        """Noise, float32; member k of any batch of a seed is the same."""
        return {
            name: np.stack([self._member(shape, seed, n) for n in range(size)]) for name, shape in self.inputs.items()
        }

    def _member(self, shape: tuple[int, ...], seed: int, position: int) -> Tensor:
        rng = np.random.default_rng([seed, position])
        return rng.uniform(-1, 1, shape).astype(np.float32)


MADE_UP = Network("made_up", "", {"picture": (3, 12, 20), "gain": (1,)}, turns=20)
NETWORKS = (
    *(Network(name, f"{name}.onnx", {"input": SMALL_CANVAS})
      for name in ("retinaface_mnet025", "yunet_n", "scrfd_500m", "scrfd_2.5g")),
    *(Network(name, f"{name}.onnx") for name in (
        "mobilefacenet_128_fast", "mobileface_v2_256", "edgeface_xxs_512", "edgeface_xs_512", "lightqnet",
    )),
    *(Network(name, f"{name}.onnx", max_batch=3) for name in ("mobilefacenet_128", "mobilefacenet_casia_128")),
    Network("age_gender_62", "age_gender_62.onnx", {"input": (3, 62, 62)}),
    *(Network(name, f"{name}.onnx", {"input": (3, 80, 80)}) for name in ("minifasnet_v2", "minifasnet_v1se")),
    Network("bench_iresnet50_noweights", "bench_iresnet50_noweights.onnx", max_batch=2, turns=1, slow=True),
)  # fmt: skip
