"""What every `faceedge model` command begins with: the installation, and roles as people write them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from faceedge import config

if TYPE_CHECKING:
    from faceedge.jobs.site import Site

ROLES = ("detector", "recognizer", "quality")


def open_site(args: argparse.Namespace) -> Site:
    """State directory, cache and what the configuration says of networks."""
    from faceedge.jobs.site import Site  # slow to import, and a help page needs none of it

    settings = config.load(args.config)
    return Site(config.state_dir(settings), config.cache_dir(), settings.models)
