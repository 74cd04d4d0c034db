"""What several commands open: the configuration, the gallery, the networks, and a progress bar on a terminal."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceedge import config

if TYPE_CHECKING:
    from faceedge.gallery.store import Gallery
    from faceedge.jobs.vision import Vision

Progress = Callable[[str, float], None]
ROLES = ("detector", "recognizer", "quality")


def a_path(text: str) -> Path:
    """A path from the command line; an empty word, as of an unset variable, is not the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("an empty word is no file; name one")
    return Path(text)


def add_common_flags(parser: argparse.ArgumentParser) -> None:
    """`--config` and `--json`."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="TOML file (default: $FACEEDGE_CONFIG, /etc/faceedge/faceedge.toml)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")


def add_action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], verb: str, run: Callable[[argparse.Namespace], int],
    purpose: str, example: str, more: str = "",
) -> argparse.ArgumentParser:  # fmt: skip
    """A command below a command, as `add` of `model`, with the flags that all have."""
    parser = actions.add_parser(
        verb,
        help=purpose,
        description=f"{purpose[:1].upper()}{purpose[1:]}. {more}".strip(),
        epilog=f"Example: {example}",
    )
    add_common_flags(parser)
    parser.set_defaults(run=run)
    return parser


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """`--detector`, `--recognizer` and `--quality`, over those of the configuration."""
    for role in ROLES:
        also = ", or `none`" if role == "quality" else ""
        parser.add_argument(
            f"--{role}", metavar="NAME",
            help=f"{role} package: name, name@version or folder{also} (default: configured)",
        )  # fmt: skip


def open_gallery(args: argparse.Namespace) -> Gallery:
    """The gallery of the configured state directory."""
    from faceedge.gallery.store import Gallery  # brings numpy and OpenCV, which no help page needs

    return Gallery.open(config.state_dir(config.load(args.config)))


def open_vision(args: argparse.Namespace, progress: Progress) -> Vision:
    """The configured networks, or those the flags of a command name. The default ones are imported on first use."""
    from faceedge.jobs.open_vision import open_vision as open_networks  # slow to import, and only some commands need it

    settings = config.load(args.config)
    named = {role: name for role in ROLES if (name := getattr(args, role, None))}
    models = settings.models.model_copy(update=named)
    return open_networks(models, settings.engine, config.state_dir(settings), config.cache_dir(), progress)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Tells text and share done (0..1) on stderr when that is a terminal; the bar vanishes at the end."""
    if not sys.stderr.isatty():
        yield _silent
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda text, done: bar.update(task, description=escape(text), completed=done)


def _silent(_text: str, _done: float) -> None:
    """Nobody watches."""


def counted(number: int, thing: str) -> str:
    """`1 face`, `2 faces`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def print_json(document: Any) -> None:
    """One document on stdout; NaN and infinities are our own fault and raise ValueError."""
    print(json.dumps(document, ensure_ascii=True, allow_nan=False))
