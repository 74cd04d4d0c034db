"""The stand-in CUDA driver: compiles libcuda/*.c, opens it, and lets tests count its calls and make them fail.

Where pycuda's build lies: $FACEEDGE_PYCUDA_STANDIN, else a folder in the cache; drivers lie beside it.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

VERSIONS = ("10.3.0", "10.16.1", "11.4.0")
SOURCES = sorted(Path(__file__).with_name("libcuda").glob("*.[ch]"))


@cache
def pycuda_folder() -> Path:
    """Where the build of pycuda lies, or would lie; tests may point the cache elsewhere later."""
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    caches = Path(os.environ.get("FACEEDGE_CACHE") or Path.home() / ".cache" / "faceedge")
    return Path(os.environ.get("FACEEDGE_PYCUDA_STANDIN") or caches / f"pycuda-standin-{tag}")


def why_not() -> str | None:
    """Why the stand-in cannot be used here; None when it can."""
    if not shutil.which("cc"):
        return "no C compiler for the stand-in driver"
    if not (pycuda_folder() / "pycuda").is_dir():
        return "no pycuda for the stand-in driver; python -m tests.fakes.gpu.build_pycuda"
    return None


def child_environment(version: str) -> dict[str, str]:
    """What a child process needs, beside the environment of its parent, to import the stand-ins."""
    here = Path(__file__)
    path = [str(here.with_name("site")), str(pycuda_folder()), str(here.parents[3])]
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    path += [entry for entry in given if entry and entry not in path]
    libraries = [str(build_driver().parent), os.environ.get("LD_LIBRARY_PATH", "")]
    return {
        "PYTHONPATH": os.pathsep.join(path),
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, libraries)),  # where pycuda finds the driver
        "FACEEDGE_STANDIN_TENSORRT": version,
    }


def driver_folder() -> Path:
    """Where this source's libcuda.so.1 lies: checkouts that differ share pycuda's build, and not the driver."""
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in SOURCES)).hexdigest()
    return pycuda_folder() / f"lib-{digest[:12]}"


def build_driver() -> Path:
    """Compiles the driver unless it is there; several processes may ask at once."""
    library = driver_folder() / "libcuda.so.1"
    if not library.exists():
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent) as work:
            made = Path(work) / library.name
            compile_driver(made)
            made.replace(library)
    return library


def compile_driver(target: Path) -> None:
    """libcuda.so.1, by whatever file name."""
    flags = ["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread"]
    sources = [str(source) for source in SOURCES if source.suffix == ".c"]
    subprocess.run(["cc", *flags, "-Wl,-soname,libcuda.so.1", "-o", str(target), *sources, "-ldl"], check=True)


@cache
def library() -> ctypes.CDLL:
    """The driver of this process, with the signatures of what it exports beside CUDA."""
    try:
        opened = ctypes.CDLL("libcuda.so.1", mode=ctypes.RTLD_GLOBAL | os.RTLD_NOLOAD)  # pycuda's
    except OSError:
        opened = ctypes.CDLL(str(build_driver()), mode=ctypes.RTLD_GLOBAL)  # pycuda will take this one
    if not hasattr(opened, "standin_fail"):
        raise RuntimeError("this process has a real CUDA driver loaded; the stand-in needs one without")
    size, pointer = ctypes.c_uint64, ctypes.c_void_p
    opened.standin_fail.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_int, ctypes.c_int]
    opened.standin_fail.restype = None
    opened.standin_count.argtypes = [ctypes.c_char_p]
    opened.standin_count.restype = ctypes.c_int64
    opened.standin_check.argtypes = opened.standin_holds.argtypes = [size, size]
    opened.standin_enqueue.argtypes = [pointer, STEP, pointer]
    opened.standin_stream.argtypes = [pointer]
    opened.standin_set_memory.argtypes = [size]
    opened.standin_set_memory.restype = None
    opened.standin_reset.restype = None
    opened.cuMemAlloc_v2.argtypes = [ctypes.POINTER(size), ctypes.c_size_t]
    opened.cuMemFree_v2.argtypes = [size]
    return opened


STEP = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)


def fail(call: str, code: int, after: int = 0, times: int = 1) -> None:
    """After `after` more calls of `call`, so many answer `code` (-1: all); a code of 0 takes that back.

    pycuda's `mem_alloc` collects garbage and tries again when there is no memory (2): two failures make one.
    """
    library().standin_fail(call.encode(), code, after, times)


def count(name: str) -> int:
    """A counter: the name of a CUDA function, or one of those that README.md lists (`live_device`, `kernels` …)."""
    return int(library().standin_count(name.encode()))
