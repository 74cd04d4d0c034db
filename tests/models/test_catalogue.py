"""The catalogue names what can be fetched; an operator's own comes over it, and a slip in it is named."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

import pytest
import tomli_w

from faceedge.errors import PackageError
from faceedge.models.catalogue import Entry, entry, read_catalogue

VERIFIED = {
    "yunet": ("8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4", 232_589),
    "sface": ("0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79", 38_696_353),
    "ediffiqa-tiny": ("9426c899cc0f01665240cb7d9e7f98e18e24e456c178326c771a43da289bfc6a", 7_272_678),
}
OWN = {
    "name": "ours", "version": "1", "role": "recognizer", "recipe": "sface", "licence": "bought", "size": 5,
    "url": "https://models.example.org/nets/ours-1.onnx", "sha256": "a" * 64, "good_for": "our own doors",
}  # fmt: skip


def written(folder: Path, *entries: object) -> Path:
    """A state directory whose catalogue has these entries."""
    (folder / "models").mkdir(parents=True, exist_ok=True)
    (folder / "models" / "catalogue.toml").write_text(tomli_w.dumps({"model": list(entries)}))
    return folder


def read(state: Path | None, system: Path = Path("/nowhere/catalogue.toml")) -> dict[str, Entry]:
    return read_catalogue(state, system)


def test_the_verified_networks_are_in_it() -> None:
    known = read(None)
    assert {name: (found.sha256, found.size) for name, found in known.items()} == VERIFIED
    for found in known.values():
        assert found.url.startswith("https://github.com/opencv/opencv_zoo/raw/")
        assert found.file_name.endswith(".onnx")
        assert set(found.hosts) == {"media.githubusercontent.com", "raw.githubusercontent.com"}
        assert found.licence_note
        assert found.good_for


def test_every_recipe_it_names_is_there() -> None:
    recipes = resources.files("faceedge.models") / "recipes"
    assert [found.name for found in read(None).values() if not (recipes / f"{found.recipe}.toml").is_file()] == []


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(PackageError, match="did you mean 'yunet'"):
        entry("yunett")
    with pytest.raises(PackageError, match="there are ediffiqa-tiny, sface, yunet"):
        entry("qqqqq", system=Path("/nowhere"))


def test_own_entries_come_over_the_systems_and_those_over_the_packages(tmp_path: Path) -> None:
    state = written(tmp_path / "state", OWN, OWN | {"name": "yunet", "role": "detector", "licence": "state"})
    both = [OWN | {"name": "yunet", "licence": "system"}, OWN | {"name": "sface", "licence": "system"}]
    system = written(tmp_path / "etc", *both) / "models" / "catalogue.toml"
    known = read(state, system)
    assert {name: found.licence for name, found in known.items()} == {
        "yunet": "state", "sface": "system", "ours": "bought", "ediffiqa-tiny": "CC-BY-4.0",
    }  # fmt: skip
    assert entry("ours", state, system).file_name == "ours-1.onnx"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"licens": "MIT"}, "model.ours.licens: unknown key; did you mean 'licence'?"),
        ({"zzz": 1}, "model.ours.zzz: unknown key; known are name, "),
        ({"url": "http://example.org/x.onnx"}, "model.ours.url: "),
        ({"url": "https://example.org/"}, "add one as file"),
        ({"url": "https://example.org/x%2Fy.onnx"}, "add one as file"),
        ({"url": "https://example.org/x.onnx?token=1#f", "file": "../x"}, "model.ours.file: "),
        ({"sha256": "A" * 64}, "model.ours.sha256: "),
        ({"size": 0}, "model.ours.size: "),
        ({"hosts": ["*.example.org"]}, "model.ours.hosts.0: "),
        ({"hosts": "example.org"}, "model.ours.hosts: "),
        ({"role": "gate"}, "model.ours.role: "),
        ({"recipe": "../sface"}, "model.ours.recipe: "),
        ({"licence": ""}, "model.ours.licence: "),
        ({"name": "Ours"}, "model.Ours.name: "),
    ],
)
def test_a_slip_in_an_own_catalogue_is_named_with_file_and_key(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    state = written(tmp_path, OWN | changes)
    with pytest.raises(PackageError) as caught:
        read(state)
    line = str(caught.value)
    assert line.startswith(f"{state / 'models' / 'catalogue.toml'}: ")
    assert words in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[modell]]\nname = 'x'", "modell: unknown key; did you mean 'model'?"),
        ("model = 3", "model: "),
        ("model = [3]", "model.0: "),
        ("[[model]]\nname = 7", "model.7."),
        ("[[model]", "not valid TOML"),
        ("\x00", "not valid TOML"),
    ],
)
def test_what_is_no_catalogue_is_refused_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    state = written(tmp_path)
    (state / "models" / "catalogue.toml").write_text(text)
    with pytest.raises(PackageError) as caught:
        read(state)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="two entries share a name"):
        read(written(tmp_path, OWN, OWN))


def test_a_file_can_be_called_otherwise_than_its_address(tmp_path: Path) -> None:
    state = written(tmp_path, OWN | {"url": "https://example.org/download?id=7", "file": "ours.onnx"})
    assert read(state)["ours"].file_name == "ours.onnx"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_catalogue_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    state = written(tmp_path, OWN)
    (state / "models").chmod(0)
    try:
        with pytest.raises(PackageError, match="cannot be read"):
            read(state)
    finally:
        (state / "models").chmod(0o700)


def test_a_pipe_in_place_of_a_catalogue_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    os.mkfifo(tmp_path / "models" / "catalogue.toml")
    with pytest.raises(PackageError, match="is not a file"):
        read(tmp_path)
