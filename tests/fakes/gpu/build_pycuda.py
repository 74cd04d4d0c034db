"""Builds pycuda on the stand-in driver: PyPI in, a folder that pytest can put on sys.path out. CI and people run it.

    python -m tests.fakes.gpu.build_pycuda [--force]

The headers are those of the PyPI wheels of CUDA 12.6 (JetPack 6); pycuda takes the libcuda.so.1 that its
process has loaded already, or finds on LD_LIBRARY_PATH: see driver.py. About three minutes on two busy cores.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import ZipFile

from tests.fakes.gpu.driver import build_driver, compile_driver, pycuda_folder

PYCUDA = "pycuda==2026.1"
HEADERS = ("nvidia-cuda-runtime-cu12==12.6.77", "nvidia-cuda-profiler-api-cu12==12.6.77")


def main() -> int:
    """Builds unless the folder is there already; prints where it lies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--force", action="store_true", help="build even when the folder is there")
    target = pycuda_folder()
    if parser.parse_args().force or not (target / "pycuda").is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            _build(Path(folder), target)
    build_driver()
    sys.stdout.write(f"{target}\n")
    return 0


def _build(work: Path, target: Path) -> None:
    root = _cuda_root(work)
    source = _source(work)
    made = work / "made"
    settings = {"CUDA_ROOT": str(root), "CUDA_ENABLE_CURAND": False, "CXXFLAGS": ["-O0", "-g0"]}
    (source / "siteconf.py").write_text("".join(f"{name} = {value!r}\n" for name, value in settings.items()))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    _run([*pip, "--target", str(made), str(source)], source)
    _run([*pip, "--target", str(made), "pytools", "platformdirs", "siphash24"], source)
    shutil.rmtree(target, ignore_errors=True)
    made.rename(target)


def _cuda_root(work: Path) -> Path:
    """The headers and the library to link with, laid out as a CUDA toolkit is."""
    root, wheels = work / "cuda", work / "wheels"
    _download(wheels, *HEADERS)
    for wheel in wheels.glob("*.whl"):
        with ZipFile(wheel) as archive:
            archive.extractall(work / "headers")
    for folder in (work / "headers").glob("nvidia/*/include"):
        shutil.copytree(folder, root / "include", dirs_exist_ok=True)
    (root / "lib64").mkdir()
    compile_driver(root / "lib64" / "libcuda.so")
    return root


def _source(work: Path) -> Path:
    _download(work / "source", PYCUDA, "--no-binary=pycuda")
    packed = next((work / "source").glob("pycuda-*.tar.gz"))
    shutil.unpack_archive(packed, work / "source")
    return packed.with_name(packed.name.removesuffix(".tar.gz"))


def _download(folder: Path, *what: str) -> None:
    _run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), *what], folder.parent)


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, env={**os.environ, "PATH": _path_without_nvcc()}, check=True)


def _path_without_nvcc() -> str:
    """pycuda's setup prefers a toolkit that it finds to the one it is told."""
    return os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if not (Path(p) / "nvcc").exists())


if __name__ == "__main__":
    sys.exit(main())
