"""What real shells complete, and a manual page that man, groff and mandoc read without a word of complaint."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from faceedge.__main__ import main
from faceedge.cli.man import escaped, page
from faceedge.cli.parser import build_parser, every_command

LINES = {
    "faceedge peo": {"people"},
    "faceedge people ": {"list", "show", "set", "remove", "pending", "approve"},
    "faceedge door key ": {"rotate", "finish", "cancel"},
    "faceedge lockdown ": {"on", "off", "show"},
    "faceedge command mod": {"model_activate", "model_rollback"},
    "faceedge restore backup-": {"backup-1.bin", "backup-2.bin"},
    "faceedge enroll Ada pho": {"photos"},
    "faceedge run --con": {"--config"},
}
BASH = """
source "$1"
complete -p faceedge >&2
while IFS= read -r line; do
    read -ra COMP_WORDS <<< "$line"
    [[ $line == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _shtab_faceedge
    echo "${COMPREPLY[*]}"
done
"""
FISH = """
source $argv[1]
while read line
    complete -C "$line" | string replace -r '\\t.*' '' | string join ' '
end
true
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where somebody types."""
    for name in ("backup-1.bin", "backup-2.bin", "another"):
        (tmp_path / name).touch()
    (tmp_path / "photos").mkdir()
    return tmp_path


def script(shell: str, folder: Path, capsys: pytest.CaptureFixture[str], name: str = "script") -> Path:
    assert main(["completion", shell]) == 0
    (folder / name).write_text(capsys.readouterr().out, encoding="utf-8")
    return folder / name


def program(name: str) -> str:
    return shutil.which(name) or pytest.skip(f"no {name} here: apt-get install --no-install-recommends {name}")


def completed(words: list[str], folder: Path) -> dict[str, set[str]]:
    lines = "".join(f"{line}\n" for line in LINES)
    done = subprocess.run(words, input=lines, cwd=folder, capture_output=True, text=True, check=True, timeout=30)
    answers = done.stdout.split("\n")[: len(LINES)]
    return {line: {word.rstrip("/") for word in said.split()} for line, said in zip(LINES, answers, strict=True)}


def test_bash_completes_commands_choices_options_and_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [program("bash"), "--norc", "--noprofile", "-c", BASH, "bash", str(script("bash", folder, capsys))]
    assert completed(words, folder) == LINES


def test_fish_completes_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [program("fish"), "--no-config", "-c", FISH, str(script("fish", folder, capsys))]
    assert completed(words, folder) == LINES


def test_zsh_completes_at_a_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zsh = program("zsh")
    script("zsh", folder, capsys, "_faceedge")
    terminal, theirs = pty.openpty()
    child = subprocess.Popen(
        [zsh, "-f", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, start_new_session=True,
        env={"TERM": "dumb", "PATH": os.environ["PATH"], "HOME": str(folder)},
    )  # fmt: skip
    os.close(theirs)
    try:
        os.write(terminal, b"fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D; echo rea''dy\n")
        said(terminal, "ready")
        for typed, expected in (("lockd", "lockdown "), ("people rem", "people remove "), ("run --onc", "run --once ")):
            os.write(terminal, f"\x15faceedge {typed}\t".encode())
            said(terminal, f"faceedge {expected}")
    finally:
        child.kill()
        child.wait()
        os.close(terminal)


def said(terminal: int, expected: str) -> None:
    heard, limit = "", time.monotonic() + 30
    while expected not in heard:
        assert time.monotonic() < limit, heard
        if select.select([terminal], [], [], 0.1)[0]:
            heard += os.read(terminal, 4096).decode(errors="replace")


@pytest.fixture
def manual(tmp_path: Path) -> Path:
    (tmp_path / "faceedge.1").write_text("\n".join(page(build_parser())) + "\n", encoding="ascii")
    return tmp_path / "faceedge.1"


@pytest.mark.parametrize(
    "words",
    [["man", "--warnings=w", "-l"], ["groff", "-man", "-Tutf8", "-ww"], ["mandoc", "-Tlint", "-Wwarning"]],
    ids=lambda words: words[0],
)
def test_programs_that_read_manuals_have_no_complaint(manual: Path, words: list[str]) -> None:
    done = subprocess.run([program(words[0]), *words[1:], manual], capture_output=True, text=True, check=False)
    complaints = done.stdout if words[0] == "mandoc" else done.stderr
    assert (done.returncode, complaints) == (0, "")


def test_the_manual_has_every_command_with_every_option(manual: Path) -> None:
    text = manual.read_text(encoding="ascii").replace("\\-", "-")
    for path, parser in every_command(build_parser()):
        assert f'.SS "faceedge {" ".join(path)}"' in text or not path
        section = text.partition(f'.SS "faceedge {" ".join(path)}"\n')[2].partition("\n.S")[0]
        shown = {name for action in parser._actions if action.help != "==SUPPRESS==" for name in action.option_strings}
        assert all(f"\\fB{name}\\fR" in section for name in shown - {"-h", "--help", "--version"})
    assert "--orders" not in text


def test_no_word_of_a_command_is_taken_for_an_order_to_troff() -> None:
    assert escaped(".TH a\\b -c\n…") == "\\&.TH a\\eb \\-c \\[u2026]"
    assert escaped("'tis") == "\\&'tis"
