"""Truncated, bit-flipped, oversized and foreign graphs and manifests: refused in one line, or as good as any other."""

from __future__ import annotations

import hashlib
import resource
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from faceedge.backends.onnx import OnnxEngine
from faceedge.errors import PackageError
from faceedge.fit import Fit, Thresholds
from faceedge.manifest import Manifest, Normalisation, Source
from faceedge.models.apart import Workshop, prepare, read_facts, try_graph
from faceedge.models.graph import MAX_BYTES
from faceedge.models.selftest import picture, tensor
from faceedge.package import FIT, GRAPH, MANIFEST, as_toml, read_package
from tests.fakes import graphs
from tests.fakes.hostile import crafted, damaged, external, foreign, swollen
from tests.fakes.hostile_manifests import odd_manifests
from tests.shortened import shortened

LIMIT_S = 10.0
MEMORY_BYTES = 2 << 30
SEED = 20_240
NETWORKS = {"yunet_n": 320, "edgeface_xxs_512": 112, "mobilefacenet_128": 112}
GRAPH_CASES, NETWORK_CASES, TAMPERED, MODEL_TOMLS, FIT_TOMLS = 60, 60, 60, 90, 45


@pytest.fixture(scope="module")
def shop() -> Iterator[Workshop]:
    with Workshop(LIMIT_S, MEMORY_BYTES) as open_shop:
        yield open_shop


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory, shop: Workshop) -> Path:
    """A recogniser as `model add` leaves it."""
    folder = tmp_path_factory.mktemp("toy")
    source = graphs.saved(graphs.recognizer(1), folder / "source")
    made = prepare(source, folder, width=32, height=32, max_batch=4, shop=shop)
    manifest = Manifest(
        name="toy", version="1", role="recognizer", family="embedding", normalisation=Normalisation(colour="rgb"),
        source=Source(sha256=made.source_sha256, licence="MIT"), alignment="arcface_112", dimension=16,
        plain=made.plain, fast=made.fast, selftest=made.selftest, max_batch=made.max_batch,
    )  # fmt: skip
    (folder / MANIFEST).write_text(as_toml(manifest))
    thresholds = Thresholds(grey=0.3, match=0.4, strict=0.5)
    (folder / FIT).write_text(as_toml(Fit(thresholds=thresholds, evidence="made up", look_alike=0.35)))
    return folder


@pytest.fixture(autouse=True)
def active(package: Path) -> Iterator[None]:
    """An engine that was open before answers the same afterwards, and this process has not grown."""
    engine = OnnxEngine(read_package(package).fast_graph, max_batch=4)
    pictures = np.repeat(tensor(picture(32, 32)), 4, axis=0)
    before = engine.infer({"x": pictures})["embedding"].copy()
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    np.testing.assert_array_equal(engine.infer({"x": pictures})["embedding"], before)
    engine.close()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_kb < 200_000
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1.2 * MEMORY_BYTES / 1024


def told_in_one_line(error: PackageError, path: Path) -> None:
    text = str(error)
    assert text.isprintable(), repr(text)
    assert len(text) <= 400
    assert path.name in text


def reaction(content: bytes, folder: Path, shop: Workshop, side_px: int, *, further: bool = True) -> str:
    """`refused`, or `taken` when it is a network whose self-test is finite and repeats."""
    path = folder / "stranger.onnx"
    path.write_bytes(content)
    start = time.monotonic()
    try:
        read_facts(path, shop)
        if further:
            made = prepare(path, folder, width=side_px, height=side_px, max_batch=2, shop=shop)
            assert all(np.isfinite(answer.values).all() for answer in made.selftest.outputs.values())
            assert try_graph(folder / GRAPH, made.selftest, made.max_batch, shop) < 1e-3
    except PackageError as error:
        told_in_one_line(error, path)
        return "refused"
    finally:
        assert time.monotonic() - start < 3 * LIMIT_S
    return "taken"


def reactions(contents: Iterable[bytes], folder: Path, shop: Workshop, side_px: int = 32, every: int = 1) -> list[str]:
    """every: how many of the files are also prepared, one in so many."""
    return [
        reaction(content, folder, shop, side_px, further=number % every == 0) for number, content in enumerate(contents)
    ]


def toys(count: int) -> list[bytes]:
    sources = [made.SerializeToString() for made in (graphs.recognizer(1), graphs.detector())]
    return [content for source in sources for content in damaged(source, count // 2, SEED)]


def oversized(folder: Path) -> Path:
    path = folder / "large.onnx"
    with path.open("wb") as file:
        file.write(graphs.recognizer().SerializeToString())
        file.truncate(MAX_BYTES + 1)
    return path


def manifest_reaction(package: Path, folder: Path, name: str, content: bytes) -> str:
    for file in package.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / name).write_bytes(content)
    try:
        read_package(folder)
    except PackageError as error:
        told_in_one_line(error, folder)
        return "refused"
    return "taken"


def tampered(package: Path, folder: Path, content: bytes) -> str:
    return manifest_reaction(package, folder, GRAPH, content)


# The few that every run tries


@pytest.mark.parametrize("name", ["pytorch", "lfs", "html", "nothing", "zeros", "noise-5", "png"])
def test_other_files_are_refused(name: str, shop: Workshop, tmp_path: Path) -> None:
    assert reaction(foreign()[name], tmp_path, shop, 32) == "refused"


@pytest.mark.parametrize("name", ["zeros-1e12", "nested", "odd-names", "pads"])
def test_graphs_made_to_hurt_are_refused(name: str, shop: Workshop, tmp_path: Path) -> None:
    assert reaction(crafted()[name], tmp_path, shop, 32) == "refused"


def test_weights_in_other_files_and_of_false_size_are_refused(shop: Workshop, tmp_path: Path) -> None:
    contents = [
        external("/etc/passwd"),
        external("../../secret"),
        swollen("w3", [2**31, 2**31]),
        swollen("w3", [2**62, 4]),
    ]
    assert set(reactions(contents, tmp_path, shop)) == {"refused"}


def test_a_file_that_is_too_large_is_refused_unread(shop: Workshop, tmp_path: Path) -> None:
    path = oversized(tmp_path)
    with pytest.raises(PackageError, match="more than 512 MB") as caught:
        read_facts(path, shop)
    told_in_one_line(caught.value, path)


def test_odd_manifests_are_refused_in_one_line(package: Path, tmp_path: Path) -> None:
    texts = odd_manifests((package / MANIFEST).read_text(), 18, SEED)
    found = [manifest_reaction(package, tmp_path, MANIFEST, content) for content in texts]
    assert found.count("refused") >= 12


def test_a_changed_graph_is_refused_by_its_digest(package: Path, tmp_path: Path) -> None:
    for content in damaged((package / GRAPH).read_bytes(), 5, SEED):
        assert tampered(package, tmp_path, content) == "refused"


# All five hundred


@pytest.mark.system
def test_there_are_five_hundred() -> None:
    count = GRAPH_CASES + NETWORK_CASES * len(NETWORKS) + TAMPERED + MODEL_TOMLS + FIT_TOMLS
    assert count + len(foreign()) + len(crafted()) + len(_false()) + 1 >= 500


def _false() -> list[bytes]:
    sizes = ([2**31, 2**31], [2**62, 4], [0, 0], [-1, -1])
    return [external(path) for path in ("/etc/passwd", "../../x", "/dev/zero", "")] + [
        swollen("w3", one) for one in sizes
    ]


@pytest.mark.system
def test_all_damaged_graphs_are_refused_or_work(shop: Workshop, tmp_path: Path) -> None:
    assert reactions(toys(GRAPH_CASES), tmp_path, shop).count("refused") >= GRAPH_CASES // 2


@pytest.mark.assets
@pytest.mark.system
@pytest.mark.parametrize("name", shortened(NETWORKS, 1))
def test_all_damaged_networks_are_refused_or_work(name: str, shop: Workshop, assets: Path, tmp_path: Path) -> None:
    content = (assets / "models" / f"{name}.onnx").read_bytes()
    found = reactions(damaged(content, NETWORK_CASES, SEED), tmp_path, shop, NETWORKS[name], every=5)
    assert found.count("refused") >= NETWORK_CASES // 4


@pytest.mark.system
def test_all_other_files_are_refused(shop: Workshop, tmp_path: Path) -> None:
    assert set(reactions([*foreign().values(), *_false()], tmp_path, shop)) == {"refused"}


@pytest.mark.system
@pytest.mark.parametrize("name", crafted())
def test_all_graphs_made_to_hurt_are_refused(name: str, shop: Workshop, tmp_path: Path) -> None:
    harmless = {"chain", "long-names", "eye", "strides-huge"}
    assert reaction(crafted()[name], tmp_path, shop, 32) == ("taken" if name in harmless else "refused")


@pytest.mark.system
@pytest.mark.parametrize(("name", "count"), [(MANIFEST, MODEL_TOMLS), (FIT, FIT_TOMLS)])
def test_all_odd_manifests_are_refused_or_read(name: str, count: int, package: Path, tmp_path: Path) -> None:
    texts = odd_manifests((package / name).read_text(), count, SEED + 1)
    found = [manifest_reaction(package, tmp_path, name, content) for content in texts]
    assert found.count("refused") >= count // 2


@pytest.mark.system
def test_every_change_is_refused_where_the_digest_is_known(package: Path, tmp_path: Path) -> None:
    for content in damaged((package / GRAPH).read_bytes(), TAMPERED, SEED + 2):
        assert tampered(package, tmp_path, content) == "refused"
    assert hashlib.sha256((package / GRAPH).read_bytes()).hexdigest() == read_package(package).manifest.plain.sha256  # type: ignore[union-attr]
