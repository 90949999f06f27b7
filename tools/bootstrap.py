"""Makes a folder with exactly the packages of one lock file, and `bin/python` and `bin/eightysix` to run this checkout.

    python3 tools/bootstrap.py requirements/core.txt .venv-core

Wheels only, each checked against its hash; no root, compiler or git. When the folder already holds what the lock file
asks for, nothing is installed and nothing asked of the network. Standard library only, and the syntax of Python 3.6, so
that an old interpreter gets as far as the sentence that says it is old.
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

OLDEST = (3, 11)
NEWER = ("python3.14", "python3.13", "python3.12", "python3.11")
ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
STAMP = ".eightysix-ready"  # written last, so that an interrupted set-up is done again
# The lock file is the whole list, so nothing is resolved. Before 23.3 pip takes `pydantic[email]`, asked for by a locked
# package, for a package of its own, picks the newest release, and refuses it as not pinned.
PIP_INSTALL = (
    *("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"),
    *("--require-hashes", "--no-deps", "--only-binary", ":all:"),
)


def say(text: str) -> None:
    """Print `text` to standard error: standard output belongs to what runs afterwards."""
    print("eightysix: " + text, file=sys.stderr, flush=True)


def fail(what: str) -> NoReturn:
    """End with `what` as the last line that the person reads."""
    say(what)
    raise SystemExit(1)


def succeeds(*command: str) -> bool:
    """Run `command` in silence and tell whether it could be run and succeeded."""
    try:
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    except OSError:
        return False
    return done.returncode == 0


def require_python() -> None:
    """End with a line that helps when this interpreter is too old, naming a newer one where there is one."""
    if sys.version_info[:2] >= OLDEST:
        return
    newer = [name for name in NEWER if succeeds(name, "--version")]
    advice = (
        "run: make run PYTHON=" + newer[0]
        if newer
        else "install one and name it: make run PYTHON=/path/to/python3"
    )
    fail(
        "Python {}.{} or later is needed; {} is {}.{}; ".format(
            *OLDEST, sys.executable, *sys.version_info[:2]
        )
        + advice
    )


def fingerprint(lock: Path, folder: Path) -> str:
    """Tell apart everything that a finished folder depends on: lock file, this recipe, interpreter, places."""
    parts = (
        lock.read_bytes(),
        Path(__file__).read_bytes(),
        sys.version.encode(),
        os.fsencode(sys.executable),
    )
    digest = hashlib.sha256()
    for part in (*parts, os.fsencode(str(folder)), os.fsencode(str(ROOT))):
        digest.update(b"%d:" % len(part) + part)
    return digest.hexdigest()


def write_script(path: Path, *lines: str) -> None:
    """Write an executable sh script.

    NOTE: never through an existing file: a half-made environment has `bin/python` as a link to the real interpreter.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_text("\n".join(("#!/bin/sh", *lines, "")))
    fresh.chmod(0o755)
    os.replace(fresh, path)


def install_into_environment(lock: Path, folder: Path) -> bool:
    """The usual way: a virtual environment. False when this Python cannot make one (Debian without python3-venv)."""
    existed = folder.exists()
    if not succeeds(sys.executable, "-m", "venv", str(folder)):
        if not existed:
            shutil.rmtree(folder, ignore_errors=True)
        return False
    python = str(folder / "bin" / "python")
    pip(python, "-r", str(lock))
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.run([python, "-c", where], stdout=subprocess.PIPE, check=True).stdout
    Path(os.fsdecode(packages).strip(), "eightysix-checkout.pth").write_text(str(SOURCE) + "\n")
    return True


def install_beside(lock: Path, folder: Path) -> None:
    """The way without `venv`: this Python's own pip fills a plain folder, and a script puts it on the path."""
    if not succeeds(sys.executable, "-m", "pip", "--version"):
        fail("this Python has neither venv nor pip; on Debian and Ubuntu: apt install python3-venv")
    packages = folder / "packages"
    shutil.rmtree(packages, ignore_errors=True)
    pip(sys.executable, "--target", str(packages), "-r", str(lock))
    path = shlex.quote("{}:{}".format(packages, SOURCE))
    write_script(
        folder / "bin" / "python",
        "export PYTHONPATH=" + path + '"${PYTHONPATH:+:$PYTHONPATH}"',
        'exec {} "$@"'.format(shlex.quote(sys.executable)),
    )


def pip(python: str, *arguments: str) -> None:
    """Install with the pip of `python`, under the settings for pip that the machine has; pip tells its own errors."""
    settings = dict(
        os.environ, PIP_ROOT_USER_ACTION="ignore"
    )  # all goes into our own folder, whoever runs it
    command = [python, *PIP_INSTALL, *arguments]
    if subprocess.run(command, env=settings, stdout=sys.stderr, check=False).returncode != 0:
        fail(
            "the packages could not be installed; the first set-up needs a package index or PIP_FIND_LINKS with wheels"
        )


def main(lock: Path, folder: Path) -> None:
    """Bring `folder` to the state that `lock` asks for."""
    require_python()
    stamp = folder / STAMP
    wanted = fingerprint(lock, folder)
    finished = stamp.is_file() and os.access(str(folder / "bin" / "python"), os.X_OK)
    if finished and stamp.read_text() == wanted:
        return
    say("setting up {} from {} (once; later runs need no network)".format(folder.name, lock.name))
    if stamp.exists():
        shutil.rmtree(folder)  # ours, and of another lock file: what was dropped from it must not linger
    if not install_into_environment(lock, folder):
        install_beside(lock, folder)
    # -P: a file yaml.py in the folder where somebody happens to stand must not be imported.
    python = shlex.quote(str(folder / "bin" / "python"))
    write_script(folder / "bin" / "eightysix", 'exec {} -P -m eightysix "$@"'.format(python))
    stamp.write_text(wanted)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: bootstrap.py LOCK_FILE FOLDER")
    main(Path(sys.argv[1]).resolve(), Path(os.path.abspath(sys.argv[2])))
