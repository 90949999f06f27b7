"""The ways in without the native part: an own `.pth`, and `sitecustomize` on PYTHONPATH; and what is told at the start."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from eightysix.model.words import Access, Kind
from eightysix.sources.sensor import SensorDecoder
from tests.sensor.hosts import SOURCE, Host, one, told, wheel_into
from tests.sensor.test_records import APP_CONNECT

FALLBACK = SOURCE / "eightysix_sensor" / "fallback"


class Environment:
    """A virtual environment whose `.pth` files run."""

    def __init__(self, folder: Path) -> None:
        self.host = Host(folder)
        venv.create(folder / "venv", with_pip=False, symlinks=True)
        [self.site] = (folder / "venv" / "lib").glob("python*/site-packages")
        self.python = folder / "venv" / "bin" / "python"

    def run(self, code: str, env: dict[str, str] | None = None) -> str:
        done = subprocess.run(
            [str(self.python), "-c", code], capture_output=True, text=True, check=True, timeout=60,
            env={"PATH": os.environ["PATH"], "EIGHTYSIX_SENSOR": f"file:{self.host.output}", **(env or {})},
        )  # fmt: skip
        return done.stdout + done.stderr


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path)


def install_pth(environment: Environment) -> None:
    shutil.copytree(SOURCE / "eightysix_sensor", environment.site / "eightysix_sensor")
    shutil.copy(FALLBACK / "00_eightysix.pth", environment.site)


def test_the_own_pth_sees_every_pth_behind_it(environment: Environment) -> None:
    install_pth(environment)
    wheel_into(
        environment.site,
        "evil",
        "0.9",
        {"evil_boot.py": APP_CONNECT + "call(7)", "evil.pth": "import evil_boot\n"},
    )
    environment.run("pass")
    records = environment.host.records()
    connect = one(records, "connect", port=7)
    assert connect["at_import"] == f"pth:{environment.site}/evil.pth"
    assert connect["chain"][-1] == "evil==0.9"
    assert connect["root"] == "evil==0.9"
    assert one(records, "exec", path=f"{environment.site}/evil.pth")["api"] == "pth"


def test_code_in_a_pth_that_nobody_owns_is_the_root_itself(environment: Environment) -> None:
    install_pth(environment)
    line = (
        "import socket; socket.socket().connect_ex(('127.0.0.1', 7)); open('/run/secrets/x') if 0 else None\n"
    )
    (environment.site / "zz.pth").write_text(line)
    environment.run("pass")
    connect = one(environment.host.records(), "connect", port=7)
    assert connect["root"] == connect["at_import"] == f"pth:{environment.site}/zz.pth"


def test_the_own_pth_is_silent_when_off_or_when_started_twice(environment: Environment) -> None:
    install_pth(environment)
    assert environment.run("print(1)", {"EIGHTYSIX_SENSOR": "off"}) == "1\n"
    assert environment.run("print(1)", {"EIGHTYSIX_SENSOR": ""}) == "1\n"
    assert not environment.host.output.exists()
    environment.run("pass", {"PYTHONPATH": str(FALLBACK)})
    assert len(told(environment.host.records(), "start")) == 1


def test_sitecustomize_on_the_path_runs_the_one_behind_it(environment: Environment) -> None:
    (environment.site / "sitecustomize.py").write_text("import sys\nsys.mine = __file__\n")
    out = environment.run(
        "import sys, sitecustomize; print(sys.mine == sitecustomize.__file__, 'eightysix_sensor' in sys.modules)",
        {"PYTHONPATH": str(FALLBACK)},
    )
    assert out == "True False\n"
    records = environment.host.records()
    assert one(records, "start")["argv"][1] == "-c"
    assert one(records, "start")["argv"][2] == "\u2026"
    assert one(records, "snapshot")["modules"] == []


def test_sitecustomize_goes_on_without_the_sensor(environment: Environment) -> None:
    alone = environment.host.folder / "alone"
    alone.mkdir()
    shutil.copy(FALLBACK / "sitecustomize.py", alone)
    assert environment.run("print(1)", {"PYTHONPATH": str(alone)}) == "1\n"
    (environment.site / "sitecustomize.py").write_text("raise ValueError('theirs')\n")
    assert "theirs" in environment.run("print(1)", {"PYTHONPATH": str(FALLBACK)})


def test_what_ran_before_is_told_by_the_snapshot(environment: Environment) -> None:
    wheel_into(
        environment.site,
        "evil",
        "0.9",
        {"evil_boot.py": "", "evil.pth": "import evil_boot\n", "path.pth": "/nowhere\n"},
    )
    environment.run("pass", {"PYTHONPATH": str(FALLBACK)})
    snapshot = one(environment.host.records(), "snapshot")
    assert [file["path"] for file in snapshot["pth"]] == [f"{environment.site}/evil.pth"]
    assert snapshot["modules"] == ["evil_boot"]


def test_a_distribution_that_appears_is_an_event(tmp_path: Path) -> None:
    host = Host(tmp_path)
    wheel_into(host.site, "old", "1.0", {"old.py": ""})
    wheel_into(tmp_path / "later", "fresh", "2.0", {"fresh.py": APP_CONNECT})
    records = host.run(f"""
        import old, subprocess, sys, socket
        old.__doc__
        socket.socket().connect_ex(("127.0.0.1", 1))
        exec(compile("import socket; socket.socket().connect_ex(('127.0.0.1', 2))", old.__file__, "exec"))
        subprocess.run(["/bin/cp", "-r", {str(tmp_path / "later")!r} + "/.", {str(host.site)!r}], check=True)
        import fresh
        fresh.call(7)
    """)
    new = one(records, "dist")
    assert (new["path"], new["mode"], new["installing"]) == (f"{host.site}/fresh-2.0.dist-info", "x", False)
    assert one(records, "connect", port=7)["chain"][0] == "fresh==2.0"
    [event] = [e for e in SensorDecoder().decode(host.raw(), "s", 1).events if e.kind is Kind.FILE]
    assert (event.activity, event.access) == ("distribution", Access.WRITE)
    assert [(artifact.name, artifact.version) for artifact in event.artifacts] == [("fresh", "2.0")]


def test_no_machine_s_path_is_in_the_package() -> None:
    for path in (SOURCE / "eightysix_sensor").rglob("*.py"):
        text = path.read_text()
        assert "/work/" not in text
        assert "pyenv" not in text
    assert sys.version_info >= (3, 11)
