"""Works on strangers' graphs in another process: paths in, facts and prepared packages out, or one line why not."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from faceedge.errors import PackageError, one_line
from faceedge.manifest import SelfTest
from faceedge.models.graph import Facts, Prepared
from faceedge.models.workshop import CRASHED, Workshop

__all__ = ["Workshop", "prepare", "read_facts", "try_graph"]

Value = TypeVar("Value")


def read_facts(graph: Path, shop: Workshop | None = None) -> Facts:
    """What a stranger's graph is, says and answers.

    shop: serves many files from one process; without it, one is started for this file. Raises PackageError with one
    line that names the file and the fault, MissingExtra without onnx or onnxruntime.
    """
    return _asked(shop, graph, TypeAdapter(Facts), {"do": "facts"})


def prepare(
    graph: Path, folder: Path, *, width: int, height: int, max_batch: int, shop: Workshop | None = None
) -> Prepared:
    """Writes `folder`/model.onnx and, where it is worth it, `folder`/onnxruntime.onnx.

    folder: a fresh one; after an error what lies in it is good for nothing. width, height: of the self-test picture in
    px, where the graph takes any size. max_batch: wanted; what it came to is in the answer. Raises as `read_facts`.
    """
    request = {"do": "prepare", "folder": str(folder.absolute()), "width": width, "height": height}
    return _asked(shop, graph, TypeAdapter(Prepared), request | {"max_batch": max_batch})


def try_graph(graph: Path, selftest: SelfTest, max_batch: int = 1, shop: Workshop | None = None) -> float:
    """The largest deviation of the graph's answers, alone and in a batch, from those noted when it was added: a share
    of the largest number in that output. Raises as `read_facts`, also when outputs are missing or of another shape."""
    request = {"do": "try", "selftest": selftest.model_dump(mode="json"), "max_batch": max_batch}
    return _asked(shop, graph, TypeAdapter(float), request)


def _asked(shop: Workshop | None, graph: Path, kind: TypeAdapter[Value], request: dict[str, Any]) -> Value:
    try:
        with Workshop() if shop is None else nullcontext(shop) as open_shop:
            value = open_shop.ask(graph, request)
        return kind.validate_python(value)
    except PackageError as error:
        raise PackageError(one_line(f"{graph}: {error}")) from error
    except ValidationError as error:
        raise PackageError(one_line(f"{graph}: {CRASHED}")) from error
