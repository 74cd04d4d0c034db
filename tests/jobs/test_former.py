"""Packages that have served: some are kept for the way back, older ones go, and others are nobody's business."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from faceedge.config import Models
from faceedge.jobs import former
from faceedge.jobs.former import has_served, note_served, prune
from faceedge.jobs.site import Site
from faceedge.models.active import Standing, stand
from faceedge.models.store import find_package, make_package
from faceedge.package import Package, as_toml, read_package
from tests.fakes.small_networks import crop_network


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Six versions of one recogniser; the last one serves, the one before it did until then."""
    state = tmp_path / "state"
    first = make_package(
        crop_network(tmp_path / "net.onnx", {"embedding": 512}), "edgeface-xs", state / "models"
    ).folder
    for number in range(2, 7):
        folder = shutil.copytree(first, first.parent / str(number))
        manifest = read_package(first).manifest.model_copy(update={"version": str(number)})
        (folder / "model.toml").write_text(as_toml(manifest))
    stand("recognizer", Standing(active="edgeface-xs@6", previous="edgeface-xs@5"), state)
    return Site(state, tmp_path, Models())


def version(site: Site, number: int) -> Package:
    return find_package(f"edgeface-xs@{number}", site.state, site.cache)


def there(site: Site) -> list[int]:
    return sorted(int(folder.name) for folder in (site.state / "models" / "edgeface-xs").iterdir())


def test_the_newest_that_served_are_kept_and_what_never_served_is_not_touched(site: Site) -> None:
    for number in (1, 2, 4, 5, 6):
        note_served(version(site, number), site.state)
    assert prune("recognizer", 3, site) == ["edgeface-xs@1"]
    assert there(site) == [2, 3, 4, 5, 6]
    assert prune("recognizer", 1, site) == ["edgeface-xs@4", "edgeface-xs@2"]
    assert there(site) == [3, 5, 6]


def test_whoever_serves_again_is_the_newest(site: Site) -> None:
    for number in (1, 4, 5, 6, 1, 6):
        note_served(version(site, number), site.state)
    assert prune("recognizer", 2, site) == ["edgeface-xs@4"]


def test_what_was_replaced_under_its_name_has_never_served(site: Site, tmp_path: Path) -> None:
    for number in (1, 2, 5, 6):
        note_served(version(site, number), site.state)
    crop_network(version(site, 1).graph, {"embedding": 512}, seed=9)
    assert not has_served(version(site, 1), site.state)
    assert has_served(version(site, 2), site.state)
    assert prune("recognizer", 1, site) == ["edgeface-xs@2"]


def test_what_is_still_named_is_kept(site: Site) -> None:
    for number in (5, 1, 2, 6):
        note_served(version(site, number), site.state)
    assert prune("recognizer", 1, site) == ["edgeface-xs@1"]
    assert 5 in there(site), "the previous one is the way back"


def test_a_damaged_memory_deletes_nothing(site: Site) -> None:
    for number in (1, 2, 4, 5, 6):
        note_served(version(site, number), site.state)
    (site.state / "models" / former.NAME).write_bytes(b"{")
    assert prune("recognizer", 1, site) == []
    assert not has_served(version(site, 1), site.state)
