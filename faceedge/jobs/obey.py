"""What the commands of a site do that need no camera: answer, lock up, choose models, begin anew.

The daemon gives these to `Commands`, with its own beside them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from faceedge.door.orders import Values
from faceedge.jobs.site import Site
from faceedge.lockdown import Lockdown
from faceedge.manifest import Role

Handler = Callable[[Values, str], str]


def handlers(lockdown: Lockdown, site: Site, reload: Callable[[], None]) -> dict[str, Handler]:
    """By name of the command. reload: asks the daemon to begin anew; raises FaceedgeError when it could not."""

    def lock(args: Values, _key: str) -> str:
        lockdown.switch(bool(args["on"]))
        return ""

    def begin_anew(_args: Values, _key: str) -> str:
        reload()
        return ""

    def activate(args: Values, key: str) -> str:
        from faceedge.jobs.choose_model import activate as choose  # slow to import, and rarely needed

        choose(str(args["name"]), site, _silent, agreed=bool(args.get("yes")))
        return begin_anew(args, key)

    def roll_back(args: Values, key: str) -> str:
        from faceedge.jobs.choose_model import rollback

        rollback(cast(Role, args["role"]), site, _silent, agreed=bool(args.get("yes")))
        return begin_anew(args, key)

    return {
        "ping": lambda _args, _key: "",
        "lockdown": lock,
        "reload": begin_anew,
        "model_activate": activate,
        "model_rollback": roll_back,
    }


def _silent(_text: str, _done: float) -> None:
    """Nobody watches."""
