"""Packages appear whole where they are found, or not at all, and go the same way."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from faceedge.errors import PackageError, StoreError
from faceedge.manifest import Manifest
from faceedge.models.place import check_free, place, remove_package, scratch_folder
from faceedge.models.store import every_package, find_package
from tests.models.test_store import manifest, written

DIES = """
import os, sys
from pathlib import Path
from tests.models.test_place import manifest, placed

rename = Path.rename
Path.rename = lambda path, target: os._exit(9) if path.name == "package" else rename(path, target)
placed(Path(sys.argv[1]), manifest(), replace=True, graph=b"other")
"""
"""Is gone between giving up the old folder and putting the new one in its place."""


def placed(state: Path, kind: Manifest, *, replace: bool = False, graph: bytes = b"graph") -> Path:
    """What `model add` does with a package once it is made."""
    with scratch_folder(state) as scratch:
        fresh = written(scratch / "package", kind)
        (fresh / "model.onnx").write_bytes(graph)
        return place(fresh, f"{kind.name}@{kind.version}", state, replace=replace)


def names(state: Path) -> list[str]:
    return sorted(path.name for path in (state / "models").iterdir())


def test_a_package_is_placed_where_it_is_found_and_the_scratch_folder_is_gone(tmp_path: Path) -> None:
    folder = placed(tmp_path, manifest())
    assert find_package("toy", tmp_path, tmp_path).folder == folder
    assert names(tmp_path) == ["toy"]
    assert (folder / "model.onnx").stat().st_mode & 0o777 == 0o644


def test_a_label_that_is_taken_stays_as_it_is_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    folder = placed(tmp_path, manifest())
    with pytest.raises(PackageError, match="toy@1 is there already"):
        placed(tmp_path, manifest(), graph=b"other")
    assert (folder / "model.onnx").read_bytes() == b"graph"
    placed(tmp_path, manifest(), replace=True, graph=b"other")
    assert (folder / "model.onnx").read_bytes() == b"other"
    assert names(tmp_path) == ["toy"]


def test_the_name_of_a_built_in_package_is_not_given_to_another(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="dlib-resnet is the name of a built-in package"):
        check_free("dlib-resnet@1", tmp_path, replace=True)


def test_after_a_fault_in_the_last_moment_the_old_package_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = placed(tmp_path, manifest())
    rename = Path.rename

    def fails(path: Path, target: Path) -> Path:
        if path.name == "package":
            raise OSError(28, "No space left on device")
        return rename(path, target)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "rename", fails)
        with pytest.raises(StoreError, match="No space left on device; nothing was changed"):
            placed(tmp_path, manifest(), replace=True, graph=b"other")
    assert (folder / "model.onnx").read_bytes() == b"graph"
    assert names(tmp_path) == ["toy"]


def test_what_a_killed_process_left_is_swept_by_the_next_one(tmp_path: Path) -> None:
    placed(tmp_path, manifest())
    (tmp_path / "models" / ".new-killed" / "package").mkdir(parents=True)
    with scratch_folder(tmp_path):
        assert ".new-killed" not in names(tmp_path)


def test_a_package_that_a_power_cut_caught_while_it_was_replaced_is_put_back(tmp_path: Path) -> None:
    folder = placed(tmp_path, manifest())
    killed = subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], cwd=Path(__file__).parents[2], check=False)
    assert killed.returncode == 9
    assert not folder.exists()
    with scratch_folder(tmp_path):
        assert (folder / "model.onnx").read_bytes() == b"graph"
    assert names(tmp_path) == ["toy"]


def test_an_interrupt_in_the_last_moment_leaves_the_old_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = placed(tmp_path, manifest())
    rename = Path.rename

    def interrupted(path: Path, target: Path) -> Path:
        if path.name == "package":
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "rename", interrupted)
        with pytest.raises(KeyboardInterrupt):
            placed(tmp_path, manifest(), replace=True, graph=b"other")
    assert (folder / "model.onnx").read_bytes() == b"graph"


def test_two_processes_build_one_after_the_other(tmp_path: Path) -> None:
    """flock holds between two openings of the file in one process, too."""
    order: list[str] = []

    def other() -> None:
        with scratch_folder(tmp_path):
            order.append("second")

    with scratch_folder(tmp_path) as scratch:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(0.2)
        assert scratch.is_dir()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_state_directory_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(StoreError, match="nothing was changed"), scratch_folder(tmp_path):
        pass


def test_a_removed_package_leaves_nothing_and_others_stay(tmp_path: Path) -> None:
    placed(tmp_path, manifest())
    placed(tmp_path, manifest(version="2"))
    remove_package("toy@1", tmp_path, lambda: None)
    assert [one.label for one in every_package(tmp_path, tmp_path)][2:] == ["toy@2"]
    remove_package("toy@2", tmp_path, lambda: None)
    assert names(tmp_path) == []
    for label in ("toy@2", "toy", "..@..", "active.toml@", "@"):
        with pytest.raises(PackageError, match="no model package"):
            remove_package(label, tmp_path, lambda: None)
