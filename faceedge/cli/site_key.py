"""`faceedge site-key`: makes the key that signs commands, and says which ones a device obeys."""

from __future__ import annotations

import argparse
from pathlib import Path

from faceedge import config
from faceedge.cli import noting, opening
from faceedge.door import site_key
from faceedge.door.site_key import SiteKey
from faceedge.errors import BadInput

MOST_TEXT = 4096


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `site-key new|trust|list|remove`."""
    parser = commands.add_parser(
        "site-key",
        help="keys that sign commands: make one, trust one on a device",
        description="The private part stays with the integrator and signs what `faceedge command` sends. A device "
        "knows the public part only, and obeys whoever has the private one.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    new = opening.add_action(
        actions, "new", run_new, "make a site key", "faceedge site-key new --out site.key",
        "Writes the private part into a file that only you can read, and the public part, for the devices, beside it.",
    )  # fmt: skip
    new.add_argument("--out", type=opening.a_path, required=True, metavar="FILE", help="new file for the private part")
    trust = opening.add_action(
        actions, "trust", run_trust, "obey a site key on this device",
        "faceedge site-key trust faceedge-site-1 A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg",
        "A running daemon obeys it within a second.",
    )  # fmt: skip
    trust.add_argument("key", metavar="FILE|TEXT", nargs="+", help="the public part, or a file with it")
    opening.add_action(actions, "list", run_list, "the site keys that this device obeys", "faceedge site-key list")
    remove = opening.add_action(
        actions, "remove", run_remove, "obey a site key no longer", "faceedge site-key remove f5c04334",
        "A running daemon forgets it within a second.",
    )  # fmt: skip
    remove.add_argument("kid", metavar="KEY", help="8 hex digits, as list shows them")


def run_new(args: argparse.Namespace) -> int:
    """Makes the key and prints its public part."""
    key = site_key.make_secret(args.out)
    if args.json:
        opening.print_json({"path": str(args.out), "kid": key.kid, "public": key.text})
    else:
        print(f"site key {key.kid}, private part: {args.out}; whoever has it commands the devices that trust it")
        print(f"public part: {args.out.with_suffix('.pub')}; it is no secret. On each device:")
        print(f"faceedge site-key trust {key.text}")
    return 0


def run_trust(args: argparse.Namespace) -> int:
    """Trusts a key from now on."""
    state = config.state_dir(config.load(args.config))
    key = _public(args.key)
    path = site_key.trust(state, key)
    noting.note(state, "key", {"done": "trusted", "site": key.kid})
    if args.json:
        opening.print_json({"kid": key.kid, "path": str(path)})
    else:
        print(f"site key {key.kid} is trusted: {path}")
    return 0


def run_list(args: argparse.Namespace) -> int:
    """One line a key."""
    state = config.state_dir(config.load(args.config))
    bad: list[str] = []
    keys = site_key.trusted(state, bad.append)
    if args.json:
        opening.print_json({"keys": [{"kid": key.kid, "public": key.text} for key in keys], "bad": bad})
    else:
        for line in (*(f"{key.kid}  {key.text}" for key in keys), *bad):
            print(line)
        if not keys:
            print("no site key is trusted: this device obeys no commands over MQTT")
    return 0


def run_remove(args: argparse.Namespace) -> int:
    """Trusts a key no longer."""
    state = config.state_dir(config.load(args.config))
    site_key.remove(state, args.kid)
    noting.note(state, "key", {"done": "removed", "site": args.kid})
    if args.json:
        opening.print_json({"removed": args.kid})
    else:
        print(f"site key {args.kid} is no longer trusted")
    return 0


def _public(words: list[str]) -> SiteKey:
    """The public part, as text or from a file."""
    text = " ".join(words)
    if text.startswith("faceedge-site-"):
        return site_key.parse_public(text)
    try:
        with Path(text).open("rb") as file:
            return site_key.parse_public(file.read(MOST_TEXT).decode("ascii", "replace"))
    except OSError as error:
        raise BadInput(f"{text}: cannot be read ({error.strerror}); give the public part or a file with it") from error
