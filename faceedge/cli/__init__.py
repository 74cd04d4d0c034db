"""The command line, one module a family of commands: parse, call, print, exit code."""

from faceedge.cli import (
    backup,
    bench,
    calibrate,
    compare,
    demo,
    door,
    enroll,
    extract,
    gallery,
    journal,
    model,
    people,
    rules,
    run,
    vault,
    why,
)

COMMANDS = (
    run,
    demo,
    enroll,
    people,
    rules,
    compare,
    extract,
    door,
    why,
    journal,
    vault,
    backup,
    gallery,
    model,
    calibrate,
    bench,
)
