"""What the installer asks of a package index, for the boards it is for."""

from __future__ import annotations

import pytest

pytest.importorskip("uv", reason="uv is an extra of developers")

from scripts.check_resolution import BOARDS, Board, faults_of, judge, pins

JETPACK_6 = BOARDS[0]
PINNED = {"numpy": "2.2.6"}


@pytest.mark.system
@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_everything_that_the_installer_asks_for_can_be_had(board: Board) -> None:
    assert faults_of(board) == []


def test_a_wheel_for_this_python_and_an_older_glibc_serves() -> None:
    assert _judged("numpy-2.2.6-cp310-cp310-manylinux_2_17_aarch64.manylinux2014_aarch64.whl") == []
    assert _judged("numpy-2.2.6-cp37-abi3-manylinux_2_35_aarch64.whl") == []
    assert _judged("numpy-2.2.6-py3-none-any.whl") == []


@pytest.mark.parametrize(
    "wheel",
    [
        "numpy-2.2.6-cp311-cp311-manylinux_2_17_aarch64.whl",
        "numpy-2.2.6-cp310-cp310-manylinux_2_17_x86_64.whl",
        "numpy-2.2.6-cp310-cp310-manylinux_2_36_aarch64.whl",
        "numpy-2.2.6-cp310-cp310-musllinux_1_2_aarch64.whl",
    ],
)
def test_a_wheel_for_something_else_does_not_serve(wheel: str) -> None:
    assert _judged(wheel) == ["numpy 2.2.6 has no wheel, and is on no list of what builds without one"]


def test_source_alone_serves_only_where_it_is_on_a_list() -> None:
    lock = {"packages": [{"name": name, "version": "1"} for name in ("sdnotify", "pycuda", "surprise")]}
    assert judge(JETPACK_6, lock, {"sdnotify": "1", "pycuda": "1", "surprise": "1"}) == [
        "surprise 1 has no wheel, and is on no list of what builds without one"
    ]


def test_tensorrt_of_an_index_is_refused() -> None:
    lock = {"packages": [{"name": "tensorrt", "version": "10.3"}]}
    assert any("JetPack brings it" in fault for fault in judge(JETPACK_6, lock, {"tensorrt": "10.3"}))


def test_what_is_not_pinned_is_named() -> None:
    (fault,) = _judged("numpy-2.2.6-py3-none-any.whl", {})
    assert "numpy 2.2.6 is not pinned in constraints-jp6.txt" in fault


@pytest.mark.parametrize("board", BOARDS[:2], ids=lambda board: board.name)
def test_what_is_compiled_on_the_board_is_pinned_too(board: Board) -> None:
    assert "pycuda" in pins(board.path.read_text(encoding="utf-8"))


def _judged(wheel: str, pinned: dict[str, str] = PINNED) -> list[str]:
    package = {"name": "numpy", "version": "2.2.6", "wheels": [{"url": f"https://files.example/{wheel}"}]}
    return judge(JETPACK_6, {"packages": [package]}, pinned)
