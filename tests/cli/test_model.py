"""`faceedge model`: a stranger's file becomes a package, is listed, checked, chosen, taken back, and removed."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from faceedge import align
from faceedge.config import Models, cache_dir
from faceedge.fit import Fit, QualityFit, QualityHead, Thresholds
from faceedge.gallery.base import Origin
from faceedge.gallery.store import Gallery
from faceedge.jobs import check_model, choose_model
from faceedge.jobs.add_model import add_model
from faceedge.jobs.describe_model import Wish
from faceedge.jobs.site import Site
from faceedge.journal.reading import entries, reading
from faceedge.models.active import Standing, chosen, stand
from faceedge.package import Package, read_package
from faceedge.types import Template
from tests.cli.conftest import Answer, Run
from tests.fakes.shared_workshop import share_workshop
from tests.fakes.small_networks import crop_network, yunet_network

NUMBERS = ("--thresholds", "0.3,0.4,0.5", "--evidence", "made up for a test")
FIT = Fit(thresholds=Thresholds(grey=0.3, match=0.4, strict=0.5), evidence="made up for a test")
KNOTS = QualityFit(quality=QualityHead(knots=((0.0, 0.0), (1.0, 1.0))), evidence="made up for a test")
SOURCES = ("seer.onnx", "toy.onnx", "twin.onnx", "grade.onnx")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four small networks, and `state` with a package of each."""
    folder = tmp_path_factory.mktemp("made")
    yunet_network(folder / "seer.onnx")
    crop_network(folder / "toy.onnx", {"embedding": 64}, notes={"licence": "MIT"})
    crop_network(folder / "twin.onnx", {"embedding": 64}, notes={"licence": "for research only"}, seed=2)
    crop_network(folder / "grade.onnx", {"score": 1})
    site = Site(folder / "state", cache_dir(), Models())
    wishes = (
        Wish(source=str(folder / "seer.onnx"), licence="MIT"),
        Wish(source=str(folder / "toy.onnx"), fit=FIT),
        Wish(source=str(folder / "twin.onnx"), fit=FIT),
        Wish(source=str(folder / "grade.onnx"), fit=KNOTS, role="quality", licence="MIT"),
    )
    with pytest.MonkeyPatch.context() as patched:
        share_workshop(patched)
        for wish in wishes:
            add_model(wish, site, lambda text, done: None)
    return folder


@pytest.fixture(autouse=True)
def _one_workshop(monkeypatch: pytest.MonkeyPatch) -> None:
    share_workshop(monkeypatch)


@pytest.fixture
def state(made: Path, tmp_path: Path, run: Run, default_models: Path) -> Path:
    """The state directory that `run` works on, with the four packages."""
    shutil.copytree(made / "state", tmp_path / "state")
    return tmp_path / "state"


def lines(answer: Answer) -> list[str]:
    return answer.err.strip().splitlines()


def refused(answer: Answer) -> str:
    assert answer.code == 2
    assert answer.out == ""
    (line,) = lines(answer)
    return line


def rows(run: Run) -> dict[str, dict[str, object]]:
    return {row["package"]: row for row in run("model", "list", "--json").document["models"]}


def folders(state: Path) -> list[str]:
    """Everything under models/ that is no lock."""
    return sorted(path.name for path in (state / "models").iterdir() if path.is_dir())


def test_an_added_network_says_what_was_assumed_and_is_listed(run: Run, made: Path, tmp_path: Path) -> None:
    answer = run("model", "add", made / "toy.onnx", *NUMBERS, "--json")
    assert answer.code == 0
    said = answer.document
    assert (said["package"], said["role"], said["family"]) == ("toy@1", "recognizer", "embedding")
    assert any(line.startswith("assumed RGB, (x - 127.5) / 127.5") for line in said["assumed"])
    assert any("licence MIT: the file says" in line for line in said["assumed"])
    package = read_package(tmp_path / "state" / "models" / "toy" / "1")
    assert (package.space, package.build) == (said["space"], said["build"])
    assert package.manifest.source.sha256 == hashlib.sha256((made / "toy.onnx").read_bytes()).hexdigest()
    assert package.manifest.selftest is not None
    assert package.manifest.plain is not None
    listed = rows(run)["toy@1"]
    assert (listed["space"], listed["licence"], listed["allowed"], listed["standing"]) == (
        package.space, "MIT", True, None,
    )  # fmt: skip
    assert folders(tmp_path / "state") == ["toy"]


def test_the_text_of_adding_ends_with_what_to_do_next(run: Run, made: Path) -> None:
    out = run("model", "add", made / "twin.onnx", *NUMBERS, "--name", "double", "--version", "2a").out
    assert out.startswith("added double@2a: recogniser, family embedding, space ")
    assert "! a start will refuse it" in out
    assert "accept_licences = ['for research only']" in out
    assert out.strip().endswith("faceedge model activate double@2a")


def test_a_name_that_is_taken_is_refused_before_anything_is_run_and_replaced_on_demand(
    run: Run, state: Path, made: Path
) -> None:
    assert "toy@1 is there already" in refused(run("model", "add", made / "toy.onnx", *NUMBERS))
    before = read_package(state / "models" / "toy" / "1").space
    answer = run("model", "add", made / "twin.onnx", *NUMBERS, "--name", "toy", "--replace", "--json")
    assert answer.code == 0
    assert any("until its next start" in line for line in answer.document["warnings"])
    assert read_package(state / "models" / "toy" / "1").space != before
    assert folders(state) == ["grade", "seer", "toy", "twin"]


def test_one_that_serves_is_not_replaced_under_its_name(run: Run, state: Path, made: Path) -> None:
    before = read_package(state / "models" / "seer" / "1").build
    stand("detector", Standing(active="seer@1"), state)
    words = ("--name", "seer", "--version", "1", "--replace")
    assert "seer@1 is active as detector; activate another first" in refused(
        run("model", "add", made / "twin.onnx", *NUMBERS, *words)
    )
    assert read_package(state / "models" / "seer" / "1").build == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--thresholds", "0.3,0.4,0.5"), "--evidence TEXT: say how the numbers were measured"),
        (("--thresholds", "0.5,0.4,0.3", "--evidence", "x"), "--thresholds: grey (0.5), match (0.4)"),
        (("--thresholds", "0.5,x,0.3", "--evidence", "x"), "--thresholds: could not convert"),
        (("--thresholds", "0.5", "--evidence", "x"), "--thresholds: not enough values"),
        (("--thresholds", "nan,nan,nan", "--evidence", "x"), "--thresholds: Input should be a finite"),
        (("--evidence", "x"), "--evidence: of which numbers"),
        ((*NUMBERS, "--knots", "0:0,1:1"), "--knots: a network is a recogniser or a quality network"),
        (("--knots", "0:0,1:7", "--evidence", "x"), "--knots: the qualities of the knots"),
        ((*NUMBERS, "--sha256", "abc"), "--sha256: not 64 hex digits"),
        ((*NUMBERS, "--from", "."), "--from: is for names of the catalogue"),
    ],
)
def test_words_that_cannot_be_are_refused_before_anything_is_read(
    run: Run, made: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    assert said in refused(run("model", "add", made / "toy.onnx", *words))
    assert not (tmp_path / "state" / "models").exists()


def test_a_refusal_leaves_nothing(run: Run, made: Path, tmp_path: Path) -> None:
    assert "a recogniser without thresholds cannot decide" in refused(run("model", "add", made / "toy.onnx"))
    line = refused(run("model", "add", made / "toy.onnx", *NUMBERS, "--sha256", "a" * 64))
    assert "its sha256 is" in line
    assert "no such file or folder" in refused(run("model", "add", made / "missing.onnx"))
    assert folders(tmp_path / "state") == []


def test_a_damaged_file_is_refused_by_its_own_name_and_leaves_nothing(run: Run, made: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.onnx"
    cut.write_bytes((made / "toy.onnx").read_bytes()[:-500])
    line = refused(run("model", "add", cut, *NUMBERS))
    assert str(cut) in line
    assert ".new-" not in line
    assert folders(tmp_path / "state") == []


def test_a_url_needs_a_digest_and_the_refusal_says_why(run: Run) -> None:
    line = refused(run("model", "add", "https://example.org/toy.onnx"))
    assert "--sha256" in line
    assert "could else put any network at your door" in line
    assert "only https" in refused(run("model", "add", "http://example.org/toy.onnx", "--sha256", "a" * 64))


def test_an_unknown_word_is_looked_up_in_the_catalogue(run: Run) -> None:
    assert "did you mean 'yunet'" in refused(run("model", "add", "yunett"))


@pytest.mark.system
def test_a_catalogues_network_comes_from_a_folder_on_a_site_without_internet(
    run: Run, made: Path, tmp_path: Path
) -> None:
    content = (made / "seer.onnx").read_bytes()
    entry = (
        '[[model]]\nname = "seer"\nversion = "7"\nrole = "detector"\nrecipe = "yunet"\nlicence = "MIT"\n'
        f'url = "https://example.org/seer.onnx"\nsha256 = "{hashlib.sha256(content).hexdigest()}"\n'
        f'size = {len(content)}\ngood_for = "nothing"\n'
    )
    (tmp_path / "state" / "models").mkdir(parents=True)
    (tmp_path / "state" / "models" / "catalogue.toml").write_text(entry)
    assert "seer" in run("model", "list", "--catalogue").out
    answer = run("model", "add", "seer", "--from", made, "--json")
    assert answer.code == 0
    assert (answer.document["package"], answer.document["licence"]) == ("seer@7", "MIT")
    assert answer.document["assumed"] == [], "recipe and catalogue say everything"
    manifest = read_package(Path(answer.document["path"])).manifest
    assert manifest.source.url == "https://example.org/seer.onnx"
    line = refused(run("model", "add", "seer", "--from", tmp_path, "--version", "8"))
    assert "https://example.org/seer.onnx" in line


def test_a_package_folder_is_verified_and_copied_whole(run: Run, made: Path, tmp_path: Path) -> None:
    folder = made / "state" / "models" / "toy" / "1"
    answer = run("model", "add", folder, "--json")
    assert answer.code == 0
    copy = Path(answer.document["path"])
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }
    assert "says all that itself" in refused(run("model", "add", folder, "--name", "other"))


def test_a_package_folder_with_something_odd_inside_is_refused_by_its_own_name(
    run: Run, made: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "odd"
    shutil.copytree(made / "state" / "models" / "toy" / "1", folder)
    (folder / "fit.toml").unlink()
    line = refused(run("model", "add", folder))
    assert f"{folder}: fit.toml is missing" in line
    (folder / "secrets").symlink_to("/etc/passwd")
    assert "plain files only" in refused(run("model", "add", folder))
    assert folders(tmp_path / "state") == []


def test_what_a_killed_process_left_is_neither_listed_nor_kept(run: Run, state: Path, made: Path) -> None:
    left = state / "models" / ".new-killed" / "package"
    left.mkdir(parents=True)
    (left / "model.onnx").write_bytes(b"half")
    assert set(rows(run)) == {"dlib-mmod@1", "dlib-resnet@1", "grade@1", "seer@1", "toy@1", "twin@1"}
    refused(run("model", "add", made / "toy.onnx", *NUMBERS))
    assert not left.exists()


def test_broken_packages_are_listed_with_the_reason(run: Run, state: Path) -> None:
    (state / "models" / "toy" / "1" / "model.toml").write_text("name = ")
    (state / "models" / "seer" / "1" / "model.onnx").write_bytes(b"something else")
    (state / "models" / "twin" / "2").mkdir()
    shutil.copytree(state / "models" / "grade" / "1", state / "models" / "stranger" / "1")
    (state / "models" / "active.toml").write_text("detector = 7")
    answer = run("model", "list", "--json")
    assert answer.code == 0
    faults = {row["package"]: row["fault"] for row in answer.document["models"] if row["fault"]}
    assert "not valid TOML" in faults["toy@1"]
    assert "damaged or changed" in faults["seer@1"]
    assert "cannot be read" in faults["twin@2"]
    assert "its manifest says grade@1" in faults["stranger@1"]
    assert "active.toml: damaged" in answer.document["faults"][0]
    assert "toy@1 is broken:" in run("model", "list").out


def test_the_table_marks_what_serves_and_which_licence_a_start_refuses(
    run: Run, state: Path, monkeypatch: pytest.MonkeyPatch, checked: list[str]
) -> None:
    run("model", "activate", "seer")
    table = run("model", "list").out.splitlines()
    seen = {line.split()[2]: line.split()[0] for line in table if line.startswith(("active", "previous", "pinned"))}
    assert seen == {"seer@1": "active", "dlib-mmod@1": "previous", "dlib-resnet@1": "active"}
    assert any("for research only !" in line for line in table)
    monkeypatch.setenv("FACEEDGE__MODELS__DETECTOR", "dlib-mmod")
    assert rows(run)["dlib-mmod@1"]["standing"] == "pinned"


@pytest.mark.system
def test_packages_that_are_as_they_were_verify(run: Run, state: Path) -> None:
    answer = run("model", "verify", "toy", "seer@1", "grade")
    assert answer.code == 0
    assert [line.split()[0] for line in answer.out.splitlines()] == ["ok", "ok", "ok"]
    assert "no model package 'nothing'" in refused(run("model", "verify", "nothing"))


def spoil_graph(package: Package) -> None:
    content = bytearray(package.graph.read_bytes())
    content[len(content) // 2] ^= 1
    package.graph.write_bytes(bytes(content))


def spoil(what: str, by: str, folder: Path) -> None:
    path = folder / "model.toml"
    text = path.read_text()
    assert what in text
    path.write_text(text.replace(what, by, 1))


SPOILT = [
    ("toy", "dimension = 64", "dimension = 128", "dimension: 128, but the graph's 'embedding' has 64"),
    ("toy", "width = 112", "width = 96", "takes 96x112 px, but crops of arcface_112 have 112x112 px"),
    ("toy", 'alignment = "arcface_112"', 'alignment = "dlib_150"', "takes 112x112 px, but crops of dlib_150"),
    ("seer", 'landmarks = "eyes_nose_mouth"', 'landmarks = "none"', "unknown landmarks 'none'"),
    ("seer", 'family = "yunet"', 'family = "scrfd"', "the graph has no 'score_8'"),
    ("seer", 'family = "yunet"', 'family = "nonsense"', "unknown detector family 'nonsense'"),
    ("grade", 'quality = "score"', 'quality = "other"', "the graph has no 'other' to be 'quality'"),
]


def test_a_manifest_that_does_not_say_what_its_graph_is_is_found(run: Run, state: Path) -> None:
    for number, (name, what, by, _) in enumerate(SPOILT):
        copy = state / "models" / name / f"x{number}"
        shutil.copytree(state / "models" / name / "1", copy)
        spoil('version = "1"', f'version = "x{number}"', copy)
        spoil(what, by, copy)
    labels = [f"{name}@x{number}" for number, (name, *_) in enumerate(SPOILT)]
    answer = run("model", "verify", *labels, "--json")
    assert answer.code == 1
    for found, (*_, fault) in zip(answer.document["packages"], SPOILT, strict=True):
        assert fault in found["fault"]
        assert "\n" not in found["fault"]


@pytest.mark.system
def test_a_changed_graph_and_answers_that_differ_are_found(run: Run, state: Path) -> None:
    spoil_graph(read_package(state / "models" / "toy" / "1"))
    package = read_package(state / "models" / "grade" / "1")
    assert package.manifest.selftest is not None
    value = package.manifest.selftest.outputs["score"].values[0]
    spoil(repr(value), repr(value + 1), package.folder)
    answer = run("model", "verify", "toy", "grade", "seer")
    assert answer.code == 1
    one, two, three = answer.out.splitlines()
    assert one.startswith("BROKEN  toy@1")
    assert "damaged or changed since it was added" in one
    assert two.startswith("BROKEN  grade@1")
    assert "from those noted when it was added" in two
    assert three.startswith("ok ")


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Labels of the packages that were checked; the check itself is left out, for it takes a process each time."""
    labels: list[str] = []
    monkeypatch.setattr(choose_model, "check_package", lambda package, shop: labels.append(package.label))
    return labels


@pytest.fixture(autouse=True)
def _no_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of made-up weights find no face in a photo; real ones do in test_swap_real.py."""
    monkeypatch.setattr(choose_model, "check_photo", lambda packages: None)


def test_activating_lasts_until_it_is_taken_back_and_both_are_in_the_journal(
    run: Run, state: Path, checked: list[str]
) -> None:
    answer = run("model", "activate", "seer", "--json")
    assert answer.code == 0
    assert answer.document == {
        "done": "activated", "role": "detector", "package": "seer@1", "before": "dlib-mmod", "changed": True,
        "build": read_package(state / "models" / "seer" / "1").build, "by": "cli", "embedded": 0, "unknown": 0,
        "live": False,
    }  # fmt: skip
    assert chosen("detector", "", state) == "seer@1"
    assert "is the detector already" in run("model", "activate", "seer@1").out
    assert run("model", "rollback", "detector").code == 0
    assert chosen("detector", "", state) == "dlib-mmod"
    assert run("model", "rollback", "detector").code == 0
    assert chosen("detector", "", state) == "seer@1"
    assert "in place of seer@1" in run("model", "activate", "dlib-mmod").out
    assert checked == ["seer@1", "seer@1", "dlib-mmod@1"], "what has served is not checked whole again on the way back"
    with reading(state / "journal.db") as connection:
        noted = [entry.body for entry in entries(connection, "kind = ?", "model")]
    assert [(body["done"], body["package"]) for body in noted] == [
        ("activated", "seer@1"), ("rolled_back", "dlib-mmod@1"), ("rolled_back", "seer@1"),
        ("activated", "dlib-mmod@1"),
    ]  # fmt: skip
    history = run("model", "history", "--json").document["history"]
    assert [row["package"] for row in history] == ["dlib-mmod@1", "seer@1", "dlib-mmod@1", "seer@1"]
    assert run("model", "history", "--role", "quality").out == "no network was chosen here yet\n"
    assert "rolled_back" in run("model", "history", "--most", "2").out


def test_a_quality_network_is_taken_back_to_none(run: Run, state: Path, checked: list[str]) -> None:
    assert "nothing to go back to" in refused(run("model", "rollback", "quality"))
    assert run("model", "activate", "grade").code == 0
    assert chosen("quality", "", state) == "grade@1"
    assert run("model", "rollback", "quality", "--json").document["package"] == "none"
    assert chosen("quality", "", state) == ""


def test_a_role_that_the_configuration_pins_is_not_activated(
    run: Run, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEEDGE__MODELS__DETECTOR", "dlib-mmod")
    line = refused(run("model", "activate", "seer"))
    assert "[models] detector = 'dlib-mmod'" in line
    assert "pins the detector" in refused(run("model", "rollback", "detector"))


@pytest.mark.system
def test_what_may_not_serve_is_not_activated(run: Run, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "accept_licences = ['for research only']" in refused(run("model", "activate", "twin"))
    spoil("dimension = 64", "dimension = 65", state / "models" / "toy" / "1")
    assert "dimension: 65" in refused(run("model", "activate", "toy"))
    assert "is a path; add the package first" in refused(run("model", "activate", "./seer"))
    assert "no model package 'nothing'" in refused(run("model", "activate", "nothing"))
    only_dlib = {"dlib_5": align.ALIGNMENTS["arcface_112"].templates["dlib_5"]}
    bent = align.Alignment(align.CropSpec(112, 112), only_dlib)
    monkeypatch.setitem(align.ALIGNMENTS, "arcface_112", bent)
    assert run("model", "activate", "grade").code == 0
    line = refused(run("model", "activate", "seer"))
    assert "seer@1 and grade@1 do not fit: landmark scheme 'eyes_nose_mouth' cannot place" in line
    assert chosen("detector", "", state) == "dlib-mmod"


def test_a_recogniser_that_knows_nobody_needs_a_yes(run: Run, state: Path, checked: list[str]) -> None:
    with Gallery.open(state) as gallery:
        vector = np.eye(1, 8, dtype=np.float32)[0]
        for name, space in (("Ada", "another"), ("Bob", read_package(state / "models" / "toy" / "1").space)):
            person = gallery.add_person(name)
            gallery.add_template(person.id, Template(vector, 1.0, space), Origin(1.0, "made up", "build"))
    line = refused(run("model", "activate", "toy"))
    assert line.startswith("1 of the people enrolled have no template")
    assert "--yes" in line
    assert "leave --dual out" in refused(run("model", "activate", "toy", "--dual"))
    assert "leave --shadow and --canary out" in refused(run("model", "activate", "toy", "--yes", "--shadow", "5"))
    assert chosen("recognizer", "", state) == "dlib-resnet"
    answer = run("model", "activate", "toy", "--yes")
    assert answer.code == 0
    assert "1 of the people enrolled must be enrolled again" in answer.out


@pytest.mark.system
def test_only_a_package_that_does_not_serve_is_removed(run: Run, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("model", "activate", "seer")
    assert "seer@1 is active as detector" in refused(run("model", "remove", "seer@1"))
    run("model", "rollback", "detector")
    assert "seer@1 is the previous one as detector" in refused(run("model", "remove", "seer@1"))
    assert "no model package 'toy'" in refused(run("model", "remove", "toy"))
    assert "no model package 'dlib-mmod@1'" in refused(run("model", "remove", "dlib-mmod@1"))
    monkeypatch.setenv("FACEEDGE__MODELS__QUALITY", "grade")
    assert "the configuration names" in refused(run("model", "remove", "grade@1"))
    assert run("model", "remove", "toy@1", "--json").document == {"removed": "toy@1"}
    assert folders(state) == ["grade", "seer", "twin"]


def test_other_versions_of_libraries_may_round_otherwise() -> None:
    assert 1e-4 < check_model.MOST_DEVIATION < 1e-2
