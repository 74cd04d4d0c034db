"""`faceedge door`: doors and their controllers; each action has a module of its own."""

from __future__ import annotations

import argparse

from faceedge.cli import door_keys, door_list, door_simulate, door_test


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `door add|list|test|remove|key|simulate`."""
    parser = commands.add_parser(
        "door",
        help="doors and their controllers: keys, tests, a controller to try with",
        description="A controller opens only for grants signed with its own key that answer its own challenge.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    door_keys.add_add(actions)
    door_list.add_list(actions)
    door_test.add(actions)
    door_list.add_remove(actions)
    door_keys.add_key(actions)
    door_simulate.add(actions)
