"""What README.md and docs/ show is what happens: their commands are run, and their output is compared.

In a block marked `console` or `sh`, a line that begins with `$ ` is a command (a `\\` at its end continues it), and the
lines up to the next command are what it prints, standard error included. A command without such lines need only
succeed. `...` alone on a line stands for any lines. Codes 10 to 14 are results of the tool and count as success;
`$ echo $?` shows the code of the command before it. Blocks without a `$ ` are illustration and are not run.

`make` is never run, as these tests run under it: see MAKE for what stands in for each target.

EIGHTYSIX_UPDATE_SNAPSHOTS=1 writes what was printed into the pages, but for output that the page shortens with `...`.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.tiers import require_tier

ROOT = Path(__file__).resolve().parents[2]
UPDATE = os.environ.get("EIGHTYSIX_UPDATE_SNAPSHOTS") == "1"
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]
RESULTS = frozenset({0, 10, 11, 12, 13, 14})
MAKE = {
    "make run": f"{shlex.quote(sys.executable)} -P tools/replay.py",  # what it does after the set-up
    "make test": "",  # this suite
    "make dev": "",  # what runs this suite
}


@dataclass(frozen=True)
class Command:
    """One command of a block and what the page says that it prints; `after` lines of the block come before that."""

    line: str
    shown: tuple[str, ...]
    after: int = 0


@dataclass(frozen=True)
class Block:
    """One block of a page with at least one command; `number` is its line."""

    page: Path
    number: int
    commands: tuple[Command, ...]


def blocks(page: Path) -> Iterator[Block]:
    """Blocks of `page` that are to be run."""
    lines = page.read_text(encoding="utf-8").splitlines() if page.exists() else []
    inside: list[str] = []
    start = 0
    for number, line in enumerate(lines, 1):
        if not start and line.strip() in ("```console", "```sh"):
            start, inside = number, []
        elif start and line.strip() == "```":
            found = tuple(commands(inside))
            if found:
                yield Block(page, start, found)
            start = 0
        elif start:
            inside.append(line)


def commands(lines: list[str]) -> Iterator[Command]:
    """The commands among the `lines` of a block, each with the lines below it."""
    line = ""
    shown: list[str] = []
    after = 0
    for number, each in enumerate(lines, 1):
        if line.endswith("\\"):
            line, after = line[:-1] + each.strip(), number
        elif each.startswith("$ "):
            if line:
                yield Command(line, tuple(shown), after)
            line, shown, after = each[2:], [], number
        elif line:
            shown.append(each.rstrip())
    if line:
        yield Command(line, tuple(shown), after)


def matches(shown: tuple[str, ...], printed: tuple[str, ...]) -> bool:
    """Compare line by line, where `...` stands for any lines, also none."""
    if not shown:
        return not printed
    if shown[0] == "...":
        return any(matches(shown[1:], printed[skip:]) for skip in range(len(printed) + 1))
    return bool(printed) and shown[0] == printed[0] and matches(shown[1:], printed[1:])


def trimmed(lines: list[str]) -> tuple[str, ...]:
    """Without white space at line ends and without empty lines at the end."""
    return tuple("\n".join(line.rstrip() for line in lines).rstrip("\n").split("\n")) if any(lines) else ()


NEED_PARSER = ("eightysix hunt validate", "eightysix hunt publish")


BLOCKS = [block for page in PAGES for block in blocks(page)]


@pytest.fixture(scope="module")
def places(copy_of_repository: Callable[[str], Path]) -> Callable[[Path], Path]:
    """A copy of the repository for each page: its blocks may build on one another, pages may not."""
    copies: dict[Path, Path] = {}

    def place(page: Path) -> Path:
        if page not in copies:
            copies[page] = copy_of_repository(page.stem)
        return copies[page]

    return place


@pytest.fixture(scope="module")
def printed_anew() -> Iterator[dict[tuple[Path, int], tuple[int, list[str]]]]:
    """Output to put into pages when all have run: by page and first line, how many lines go and which ones come."""
    anew: dict[tuple[Path, int], tuple[int, list[str]]] = {}
    yield anew
    for (page, first), (gone, lines) in sorted(
        anew.items(), reverse=True
    ):  # from the end: line numbers stay right
        text = page.read_text(encoding="utf-8").splitlines()
        text[first : first + gone] = lines
        page.write_text("\n".join(text) + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    "block", BLOCKS, ids=[f"{block.page.relative_to(ROOT)}:{block.number}" for block in BLOCKS]
)
def test_block_does_what_it_shows(
    block: Block,
    places: Callable[[Path], Path],
    checkout_env: dict[str, str],
    printed_anew: dict[tuple[Path, int], tuple[int, list[str]]],
) -> None:
    if any(one in command.line for command in block.commands for one in NEED_PARSER):
        from eightysix.hunt.binder.parser import lacking

        if missing := lacking():
            require_tier("node", f"{missing}: make parser")
    cwd = places(block.page)
    status = 0
    for command in block.commands:
        line = MAKE.get(command.line, command.line)
        if command.line.startswith("make "):
            assert command.line in MAKE, f"say in MAKE what stands in for `{command.line}`"
        done = subprocess.run(
            ["/bin/sh", "-c", f"(exit {status}); {line}"],
            cwd=cwd, env=checkout_env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            check=False, timeout=300,
        )  # fmt: skip
        status = done.returncode
        printed = done.stdout.decode()
        assert "Traceback (most recent call last)" not in printed, f"$ {command.line}\n{printed}"
        assert status in RESULTS, f"$ {command.line}\n{printed}\nended with {status}"
        shown = trimmed(list(command.shown))
        if shown and line:
            got = trimmed(printed.splitlines())
            if UPDATE and "..." not in shown and got != shown:
                # An empty line at the end belongs to the layout of the page.
                printed_anew[block.page, block.number + command.after] = (
                    len(trimmed(list(command.shown))),
                    list(got),
                )
                continue
            # The assertion compares equal texts, for the difference that pytest prints.
            assert matches(shown, got) or "\n".join(got) == "\n".join(shown)


def test_measurements_are_those_of_the_last_run() -> None:
    check = [sys.executable, "tools/readme_output.py", "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_readme_has_a_first_command() -> None:
    first = next((block for block in BLOCKS if block.page.name == "README.md"), None)
    assert first is not None
    assert first.commands[0].line == "make run"


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a b", "a b", True),
        ("a b", "a c", False),
        ("a", "a b", False),
        ("a ...", "a b c", True),
        ("... c", "a b c", True),
        ("a ... c", "a c", True),
        ("a ... c", "a b", False),
        ("", "", True),
    ],
)
def test_dots_stand_for_lines(shown: str, printed: str, same: bool) -> None:
    assert matches(tuple(shown.split()), tuple(printed.split())) is same


def test_commands_are_found_with_their_output() -> None:
    found = list(commands(["$ one \\", "    two", "out", "", "$ three"]))
    assert found == [Command("one two", ("out", ""), 2), Command("three", (), 5)]
