"""What the commands of a site do that need no camera: answer, lock up, choose models, begin anew.

The daemon gives these to `Commands`, with its own beside them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from faceedge.door.orders import Values
from faceedge.jobs.swap_order import Order
from faceedge.lockdown import Lockdown
from faceedge.manifest import Role

Handler = Callable[[Values, str], str]


def handlers(lockdown: Lockdown, swap: Callable[[Order], str], reload: Callable[[], None]) -> dict[str, Handler]:
    """By name of the command. swap: begins to let another network serve; why not, or nothing. reload: asks the daemon
    to begin anew; raises FaceedgeError when it could not."""

    def lock(args: Values, _key: str) -> str:
        lockdown.switch(bool(args["on"]))
        return ""

    def begin_anew(_args: Values, _key: str) -> str:
        reload()
        return ""

    def activate(args: Values, key: str) -> str:
        return swap(
            Order(
                name=str(args["name"]),
                shadow_s=60.0 * int(args.get("shadow", 0)),
                canary=int(args.get("canary", 0)) / 100,
                dual=bool(args.get("dual")),
                agreed=bool(args.get("yes")),
                by=f"mqtt:{key}",
            )
        )

    def roll_back(args: Values, key: str) -> str:
        return swap(Order(cast(Role, args["role"]), agreed=bool(args.get("yes")), by=f"mqtt:{key}"))

    return {
        "ping": lambda _args, _key: "",
        "lockdown": lock,
        "reload": begin_anew,
        "model_activate": activate,
        "model_rollback": roll_back,
    }
