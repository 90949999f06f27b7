"""The set-up of `make run`: wheels with hashes only, no network the second time, and a way without venv."""

from __future__ import annotations

import ast
import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from eightysix import __version__
from tests.tiers import require_tier

BREAKS = "raise SystemExit('not on this machine')\n"


@dataclass
class Checkout:
    """A copy of the repository whose lock file names one small wheel, which lies in a folder beside it."""

    path: Path
    wheels: Path
    env: dict[str, str] = field(default_factory=dict)

    def bootstrap(self, **env: str) -> subprocess.CompletedProcess[str]:
        """Run it as the Makefile does."""
        command = [sys.executable, "tools/bootstrap.py", "requirements/core.txt", ".venv-core"]
        return self.run(*command, env={"PIP_FIND_LINKS": str(self.wheels), **env})

    def run(self, *command: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command in the copy, never with an index."""
        merged = {**self.env, "PIP_NO_INDEX": "1", **(env or {})}
        return subprocess.run(
            command, cwd=self.path, env=merged, capture_output=True, text=True, check=False, timeout=300
        )

    def imports_the_wheel(self) -> bool:
        """Tell whether `bin/python` has both the wheel and this checkout."""
        python = ".venv-core/bin/python"
        if not (self.path / python).exists():
            return False
        return self.run(python, "-c", "import tiny_lock, eightysix").returncode == 0


def tiny_wheel(folder: Path, name: str = "tiny_lock", version: str = "1.0", needs: str = "") -> Path:
    """A wheel of one empty module, which asks for the requirement `needs`."""
    info = f"{name}-{version}.dist-info"
    path = folder / f"{name}-{version}-py3-none-any.whl"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{info}/METADATA", metadata + (f"Requires-Dist: {needs}\n" if needs else ""))
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(
            f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
        )
    return path


def locked(*wheels: Path) -> str:
    """The lock file of exactly these wheels."""
    lines = []
    for wheel in wheels:
        name, version = wheel.name.split("-")[:2]
        lines.append(f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    return "".join(lines)


@pytest.fixture
def checkout(
    copy_of_repository: Callable[[str], Path], checkout_env: dict[str, str], tmp_path: Path
) -> Checkout:
    """Without the network and without the real lock file, so that the tests run anywhere."""
    path = copy_of_repository("a folder")  # with a space in it
    (path / "requirements" / "core.txt").write_text(locked(tiny_wheel(tmp_path)))
    env = {
        key: text for key, text in checkout_env.items() if key != "PYTHONPATH" and not key.startswith("PIP_")
    }
    return Checkout(path, tmp_path, env)


def without(tmp_path: Path, *modules: str) -> str:
    """PYTHONPATH on which `modules` cannot be run."""
    folder = tmp_path / "without"
    folder.mkdir()
    for module in modules:
        (folder / f"{module}.py").write_text(BREAKS)
    return str(folder)


def test_set_up_gives_python_and_command(checkout: Checkout) -> None:
    done = checkout.bootstrap()
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert checkout.imports_the_wheel()
    told = checkout.run(".venv-core/bin/eightysix", "--version")
    assert told.stdout == f"eightysix {__version__}\n"


def test_second_time_installs_nothing(checkout: Checkout) -> None:
    checkout.bootstrap()
    (checkout.wheels / "tiny_lock-1.0-py3-none-any.whl").unlink()
    again = checkout.bootstrap()
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert checkout.imports_the_wheel()


def test_changed_lock_sets_up_anew(checkout: Checkout) -> None:
    checkout.bootstrap()
    (checkout.path / "requirements" / "core.txt").write_text("")
    assert checkout.bootstrap().returncode == 0
    assert not checkout.imports_the_wheel()


def test_wrong_hash_is_refused_and_tried_again(checkout: Checkout) -> None:
    lock = checkout.path / "requirements" / "core.txt"
    right = lock.read_text()
    lock.write_text("tiny-lock==1.0 --hash=sha256:" + "0" * 64 + "\n")
    refused = checkout.bootstrap()
    assert refused.returncode == 1
    assert "DO NOT MATCH THE HASHES" in refused.stderr
    assert not checkout.imports_the_wheel()
    lock.write_text(right)
    assert checkout.bootstrap().returncode == 0
    assert checkout.imports_the_wheel()


def test_package_without_hash_is_refused(checkout: Checkout) -> None:
    (checkout.path / "requirements" / "core.txt").write_text("tiny-lock==1.0\n")
    assert checkout.bootstrap().returncode == 1


def test_a_newer_release_of_what_is_asked_for_with_an_extra_changes_nothing(checkout: Checkout) -> None:
    # pip before 23.3 resolves `tiny_lock[more]` apart from the pin of tiny_lock, and then misses the hash of 2.0.
    above = tiny_wheel(checkout.wheels, "above", needs="tiny_lock[more]>=1")
    lock = locked(above, checkout.wheels / "tiny_lock-1.0-py3-none-any.whl")
    (checkout.path / "requirements" / "core.txt").write_text(lock)
    tiny_wheel(checkout.wheels, version="2.0")
    done = checkout.bootstrap()
    assert done.returncode == 0, done.stderr
    assert checkout.imports_the_wheel()


def test_without_venv_pip_fills_a_folder(checkout: Checkout, tmp_path: Path) -> None:
    done = checkout.bootstrap(PYTHONPATH=without(tmp_path, "venv"))
    assert done.returncode == 0, done.stderr
    assert not (checkout.path / ".venv-core" / "pyvenv.cfg").exists()
    assert checkout.imports_the_wheel()
    assert checkout.run(".venv-core/bin/eightysix", "--version").stdout == f"eightysix {__version__}\n"


def test_without_venv_the_real_interpreter_is_not_overwritten(checkout: Checkout, tmp_path: Path) -> None:
    # Debian's venv without ensurepip leaves bin/python, a link to the interpreter.
    python = checkout.path / ".venv-core" / "bin" / "python"
    python.parent.mkdir(parents=True)
    target = tmp_path / "interpreter"
    target.write_text("untouched")
    python.symlink_to(target)
    assert checkout.bootstrap(PYTHONPATH=without(tmp_path, "venv")).returncode == 0
    assert target.read_text() == "untouched"
    assert not python.is_symlink()


def test_without_venv_and_pip_one_line_helps(checkout: Checkout, tmp_path: Path) -> None:
    done = checkout.bootstrap(PYTHONPATH=without(tmp_path, "venv", "pip"))
    assert done.returncode == 1
    assert "apt install python3-venv" in done.stderr.splitlines()[-1]
    assert not (checkout.path / ".venv-core").exists()


def test_old_interpreter_is_told_so(checkout: Checkout) -> None:
    # The file is run by this interpreter under another version; that an old one can read it is the next test.
    code = (
        "import runpy, sys; sys.version_info = (3, 9, 2, 'final', 0); sys.argv[0] = 'x';"
        "runpy.run_path('tools/bootstrap.py', run_name='__main__')"
    )
    done = checkout.run(sys.executable, "-c", code, "requirements/core.txt", ".venv-core")
    assert done.returncode == 1
    assert "Python 3.11 or later is needed" in done.stderr
    assert "is 3.9" in done.stderr
    assert not (checkout.path / ".venv-core").exists()


def test_old_interpreter_can_read_the_script(root: Path) -> None:
    ast.parse((root / "tools" / "bootstrap.py").read_text(), feature_version=(3, 6))


@pytest.mark.tier("index")
def test_the_real_lock_gives_a_core_that_runs(
    copy_of_repository: Callable[[str], Path], checkout_env: dict[str, str]
) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    path = copy_of_repository("real")
    # Whether there is an index at all is asked without our hashes, so that a wrong lock fails and does not skip.
    asked = [*pip, "--only-binary", ":all:", "--dest", str(path / "probe"), "msgspec"]
    if subprocess.run(asked, env=os.environ, capture_output=True, check=False, timeout=120).returncode != 0:
        require_tier("index", "no package index can be reached")
    command = [sys.executable, "tools/bootstrap.py", "requirements/core.txt", ".venv-core"]
    done = subprocess.run(
        command, cwd=path, env=checkout_env, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    env = {key: text for key, text in checkout_env.items() if key != "PYTHONPATH"}
    code = [
        ".venv-core/bin/python",
        "-P",
        "-c",
        "import msgspec, yaml, eightysix; print(eightysix.__version__)",
    ]
    told = subprocess.run(code, cwd=path, env=env, capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout == f"{__version__}\n"


def test_command_imports_nothing_from_where_one_stands(checkout: Checkout) -> None:
    checkout.bootstrap()
    (checkout.path / "eightysix.py").write_text(BREAKS)
    assert checkout.run(".venv-core/bin/eightysix", "--version").returncode == 0
