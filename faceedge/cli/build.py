"""`faceedge build`: the TensorRT engines of this device, and the kernels that feed them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from faceedge import config
from faceedge.cli import noting, opening
from faceedge.cli.model_site import ROLES, open_site
from faceedge.errors import BadInput, DeviceLost, EngineError, FaceedgeError

if TYPE_CHECKING:
    from faceedge.jobs.gpu_engines import GpuEngines, Made
    from faceedge.jobs.site import Site
    from faceedge.package import Package

FAILED = 2


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `build`."""
    parser = commands.add_parser(
        "build",
        help="build the TensorRT engines of this device",
        description="Builds an engine for the network of each role, by engines/ROLE.toml, holds its answers against "
        "those of ONNX Runtime, and compiles the kernels that prepare its frames. What is there and as it should be "
        "is kept. The daemon does the same in the background. Exit code 2 without TensorRT, or when an engine could "
        "not be built; then the one that was there stays.",
        epilog="Example: faceedge build recognizer --force",
    )
    parser.add_argument("role", metavar="ROLE", nargs="?", choices=ROLES, help=f"{', '.join(ROLES)} (default: all)")
    parser.add_argument("--force", action="store_true", help="also what is there already, as after a new power mode")
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--later", action="store_true", help="only wish for it: systemd starts the build on its own")
    when.add_argument("--wanted", action="store_true", help="build what was wished for; faceedge-build.service does")
    opening.add_common_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Builds, or wishes for it."""
    from faceedge.jobs import wanted

    if (args.force and (args.later or args.wanted)) or (args.role and args.wanted):
        raise BadInput("--later takes a role, --wanted none, and neither goes with --force")
    roles = (args.role,) if args.role else ()
    state = config.state_dir(config.load(args.config))
    if args.later:
        return _wish(args, wanted.wish(state, roles))
    if not args.wanted:
        return _build(args, roles)
    with wanted.taken(state) as wished:
        strange = [word for word in wished or () if word not in ROLES]
        if strange:
            raise BadInput(f"{wanted.path_of(state)}: {strange[0]!r} is no role; they are {', '.join(ROLES)}")
        if wished is None:
            print("no engine is wanted", file=sys.stderr)
        return 0 if wished is None else _build(args, wished)


def _wish(args: argparse.Namespace, wished: tuple[str, ...]) -> int:
    if args.json:
        opening.print_json({"wanted": list(wished)})
    else:
        print(
            f"wanted: {', '.join(wished) or 'the engines of all roles'}; follow it with journalctl -fu faceedge-build"
        )
    return 0


def _build(args: argparse.Namespace, roles: tuple[str, ...]) -> int:
    """Builds, tells what came of each, and notes it. roles: none are all."""
    from faceedge.jobs.gpu_engines import open_gpu_engines

    settings, site = config.load(args.config), open_site(args)
    engines = open_gpu_engines(settings.engine, site.state)
    made: list[Made] = []
    failed: list[dict[str, str]] = []
    with noting.noted(args) as note, opening.progress_bar() as progress:
        for role, package in _packages(site, roles, progress):
            try:
                one = engines.make(package, _told(progress, role, package), force=args.force)
            except DeviceLost:
                raise
            except EngineError as error:
                failed.append({"role": role, "package": package.label, "why": str(error)})
                continue
            made.append(one)
            if one.is_new:
                note("engine", {"done": "built", **_facts(one), "seconds": round(one.seconds, 1)})
        progress("compiling the kernels", 1.0)
        kernels, why = _kernels(engines)
    if args.json:
        engine_documents = [_document(one) for one in made]
        opening.print_json({"engines": engine_documents, "failed": failed, "kernels": kernels, "kernels_why": why})
    else:
        _print(made, kernels, why)
        for fault in failed:
            print(f"faceedge: {fault['why']}", file=sys.stderr)
        if settings.engine.backend == "onnx":
            print('! the configuration says [engine] backend = "onnx": no engine is used')
    return FAILED if failed else 0


def _packages(site: Site, only: tuple[str, ...], progress: opening.Progress) -> Iterator[tuple[str, Package]]:
    """What the recipe of each role names, else what serves; a role without a network only counts when it is named."""
    from faceedge.jobs.engine_recipe import read_recipe
    from faceedge.jobs.site import ROLES as SITE_ROLES
    from faceedge.models.store import find_package

    for role in SITE_ROLES:
        if only and role not in only:
            continue
        named = read_recipe(role)[0].package
        package = find_package(named, site.state, site.cache, progress) if named else site.present(role, progress)
        if package is not None:
            yield role, package
        elif only:
            raise FaceedgeError(f"no {role} serves here; choose one: faceedge model activate NAME")


def _told(progress: opening.Progress, role: str, package: Package) -> Any:
    return lambda share: progress(f"building the {role} {package.label}", share)


def _kernels(engines: GpuEngines) -> tuple[str | None, str]:
    """Where they are; else why not."""
    try:
        return str(engines.make_kernels()), ""
    except DeviceLost:
        raise
    except EngineError as error:
        return None, str(error)


def _facts(made: Made) -> dict[str, Any]:
    package = made.plan.package
    return {"role": package.manifest.role, "package": package.label, "build": package.build, **made.plan.facts}


def _document(made: Made) -> dict[str, Any]:
    return {
        **_facts(made), "plan": str(made.plan.place.plan), "bytes": made.size, "seconds": round(made.seconds, 3),
        "is_new": made.is_new, "notes": list(made.notes), "fingerprint": made.plan.wanted.model_dump(mode="json"),
    }  # fmt: skip


def _print(made: list[Made], kernels: str | None, why: str) -> None:
    for one in made:
        package, wanted = one.plan.package, one.plan.wanted
        took = f"built in {one.seconds:.0f} s" if one.is_new else "there already"
        print(f"{package.manifest.role}: {package.label}, {wanted.options.precision}, {one.size / 1e6:.1f} MB, {took}")
        print(f"  {one.plan.place.plan}")
        bound = [
            f"TensorRT {wanted.tensorrt}",
            wanted.cuda and f"CUDA {wanted.cuda}",
            wanted.l4t and f"L4T {wanted.l4t}",
        ]
        print(f"  build {wanted.build} for {', '.join(word for word in (*bound, wanted.module) if word)}")
        for note in one.notes:
            print(f"! {note}")
    print(f"kernels: {kernels}" if kernels else f"! frames are prepared on the CPU: {why}")
    if any(one.is_new for one in made):
        print("a daemon that runs takes new engines at its next start")
