"""Starting is free: `--help` and `--version` load nothing that they do not need."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from eightysix import __version__
from eightysix.cli.main import COMMANDS, build_parser

HEAVY = frozenset(
    {
        # what the stories, state, network and servers are made of: loaded by the command that needs it
        *(
            "asyncio",
            "concurrent.futures",
            "email",
            "http.client",
            "http.server",
            "logging",
            "multiprocessing",
        ),
        *("sqlite3", "ssl", "socket", "subprocess", "tempfile", "urllib.request", "xml", "zipfile"),
        # each costs about as much as the interpreter itself
        *("dataclasses", "inspect", "typing_extensions"),
    }
)
"""Modules of the standard library that must not be loaded. Of other distributions none may be: msgspec costs 25 ms
of CPU and yaml 17 (CPython 3.11 itself: 10), of a budget of 60. There the list tells what is allowed, and is empty."""

RUN = """
import sys
try:
    {what}
except SystemExit as end:
    assert not end.code, end.code
print(*sys.modules, file=sys.stderr)
"""
IMPORT = "import eightysix.cli.main"
COMMAND = "import runpy; sys.argv[:] = ['eightysix', {argument!r}]; runpy.run_module('eightysix', run_name='__main__')"
STARTS = {
    "import": IMPORT,
    "--help": COMMAND.format(argument="--help"),
    "--version": COMMAND.format(argument="--version"),
}


def start(what: str, env: dict[str, str]) -> tuple[str, set[str]]:
    """Run `what` in a new interpreter and give what it printed and the modules that it loaded.

    -S leaves out `site`, whose `.pth` files would load modules of other tools before ours; what it puts on the path is
    added by hand, so that an import of another distribution is found by the assertion and not by its absence.
    """
    path = os.pathsep.join((env["PYTHONPATH"], sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))
    command = [sys.executable, "-S", "-c", RUN.format(what=what)]
    done = subprocess.run(
        command, env=env | {"PYTHONPATH": path}, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("what", STARTS.values(), ids=STARTS)
def test_start_loads_no_heavy_module(what: str, checkout_env: dict[str, str]) -> None:
    _, modules = start(what, checkout_env)
    assert "eightysix.cli.main" in modules
    assert modules & HEAVY == set()


@pytest.mark.parametrize("what", STARTS.values(), ids=STARTS)
def test_start_loads_nothing_but_the_standard_library(what: str, checkout_env: dict[str, str]) -> None:
    _, modules = start(what, checkout_env)
    others = (
        {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - {"eightysix", "__main__"}
    )
    assert others == set()


@pytest.mark.parametrize("what", STARTS.values(), ids=STARTS)
def test_start_loads_no_room_that_works(what: str, checkout_env: dict[str, str]) -> None:
    _, modules = start(what, checkout_env)
    rooms = {name.split(".")[1] for name in modules if name.startswith("eightysix.")}
    assert rooms <= {"cli", "model", "__main__"}


def test_version_is_one_line(checkout_env: dict[str, str]) -> None:
    printed, _ = start(STARTS["--version"], checkout_env)
    assert printed == f"eightysix {__version__}\n"


def test_help_names_the_main_command(checkout_env: dict[str, str]) -> None:
    printed, _ = start(STARTS["--help"], checkout_env)
    assert "detect" in printed


SCAN = """import runpy, tempfile
file = tempfile.NamedTemporaryFile()
file.write(b"\\x80\\x04N.")
file.flush()
sys.argv[:] = ['eightysix', 'scan', file.name]
try: runpy.run_module('eightysix', run_name='__main__')
except SystemExit as end: assert end.code == 0, end.code
"""


def test_a_scan_without_a_policy_loads_no_other_command_and_no_reader_of_yaml(
    checkout_env: dict[str, str], tmp_path: Path
) -> None:
    _, modules = start(
        SCAN.replace("\n", "\n    "), checkout_env | {"HOME": str(tmp_path), "XDG_CONFIG_HOME": ""}
    )
    assert "eightysix.scan.scanner" in modules
    assert modules & {"yaml", "hashlib", "eightysix.cli.watch", "eightysix.cli.posture"} == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_the_same_by_itself_as_among_all(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for parser in (build_parser(), build_parser(name)):
        with pytest.raises(SystemExit):
            parser.parse_args([name, "--help"])
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]
    assert f"eightysix {name}" in told[0]
