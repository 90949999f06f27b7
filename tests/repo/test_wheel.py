"""The wheel, alone with what it declares to need, in an empty environment."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from eightysix import __version__
from tests.tiers import require_tier

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


def run(*command: str | Path, env: dict[str, str] | None = None) -> str:
    """Run a command that must succeed, and give its standard output."""
    done = subprocess.run(command, env=env, cwd="/", capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built offline by the locked backend."""
    folder = tmp_path_factory.mktemp("wheel")
    run(*PIP, "wheel", root, "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder)
    (built,) = folder.glob("*.whl")
    return built


def declared(wheel: Path) -> list[str]:
    """Names of the distributions that the wheel needs without extras."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        headers = Parser().parsestr(archive.read(name).decode())
    needs = [Requirement(text) for text in headers.get_all("Requires-Dist", [])]
    return [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]


@pytest.fixture(scope="session")
def alone(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`bin` of an environment with the wheel and the distributions that it declares, nothing else.

    Those are copied from the environment of the tests, where they lie in the locked versions: nothing is downloaded,
    and an import that nobody declared fails.
    """
    if importlib.util.find_spec("venv") is None:
        require_tier("venv", "this Python has no module venv")
    folder = tmp_path_factory.mktemp("alone")
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    packages = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    for name in declared(wheel):
        distribution = importlib.metadata.distribution(name)
        for file in distribution.files or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                target = packages / file
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(Path(str(distribution.locate_file(file))).read_bytes())
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        wheel,
    )
    return folder / "bin"


@pytest.fixture(scope="session")
def bare_env() -> dict[str, str]:
    """No PYTHONPATH, so that only the environment counts."""
    return {"PATH": os.defpath, "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}


def test_core_needs_two_distributions(wheel: Path) -> None:
    assert sorted(map(canonicalize_name, declared(wheel))) == ["msgspec", "pyyaml"]


def test_wheel_has_everything_of_the_package(root: Path, wheel: Path) -> None:
    source = root / "src"
    here = {
        path.relative_to(source).as_posix()
        for path in (source / "eightysix").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        there = {name for name in archive.namelist() if name.startswith("eightysix/")}
    assert there == here
    assert "eightysix/py.typed" in there
    assert any(name.startswith("eightysix/rules/") and name.endswith("/rule.yml") for name in there)
    assert any(name.startswith("eightysix/rules/") and name.endswith(".jsonl") for name in there)


def test_wheel_alone_tells_its_version(alone: Path, bare_env: dict[str, str]) -> None:
    assert run(alone / "eightysix", "--version", env=bare_env) == f"eightysix {__version__}\n"


def test_wheel_alone_has_its_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert any(name.endswith(".dist-info/licenses/LICENSE") for name in archive.namelist())


def test_wheel_alone_lists_each_rule(root: Path, alone: Path, bare_env: dict[str, str]) -> None:
    files = (root / "src" / "eightysix" / "rules").glob("*/rule.yml")
    rules = {yaml.safe_load(path.read_text(encoding="utf-8"))["id"] for path in files}
    listed = run(alone / "eightysix", "rules", "list", env=bare_env)
    assert rules
    assert {rule for rule in rules if rule not in listed} == set()


def test_wheel_alone_detects(root: Path, alone: Path, bare_env: dict[str, str]) -> None:
    told = run(alone / "eightysix", "detect", root / "examples" / "breach-86s", "--exit-zero", env=bare_env)
    assert "contain[poisoned-install]" in told
