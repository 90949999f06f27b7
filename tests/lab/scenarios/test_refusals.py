"""Payloads outside of a lab run: each of them is run here, for real, and does nothing but print one line.

What a process does is told by its own audit hook: every connection, file written, process and fork that Python makes raises an
event. The last test is the control: where all three conditions hold, the same payload under the same eyes acts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from eightysix.lab.scenarios.cast import payload
from tests.tiers import require_tier

DRIVERS = (
    "at_import.py",
    "by_azure_identity.py",
    "by_curl.py",
    "by_pycurl.py",
    "by_uvloop.py",
    "in_fork.py",
    "in_hidden_thread.py",
    "in_subprocess.py",
    "in_thread.py",
    "makes_pod.py",
    "pushes.py",
    "when_called.py",
)
NONCE = "0123456789abcdef0123456789abcdef"

WATCHED = """
import json, os, sys, threading
seen = []
def hook(event, arguments):
    if event.startswith(("socket.", "subprocess.", "urllib.")) or event in (
        "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.exec", "os.system", "os.remove", "os.rename", "os.mkdir",
        "os.chmod", "os.link", "os.symlink", "os.truncate", "os.kill", "shutil.move", "shutil.copyfile", "ctypes.dlopen",
    ):
        seen.append([event, repr(arguments)[:200]])
    elif event == "open":
        path, mode, flags = arguments
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND):
            seen.append([event, repr(path)])
        elif "secrets" in str(path) or "environ" in str(path):
            seen.append([event, repr(path)])
"""
"""What a refusing payload must not do: reading its own marker is allowed, reading a credential is not."""

RUN = """
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
sys.addaudithook(hook)
try:
    import boot_package
finally:
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join()
    told = list(seen)
    print("SEEN " + json.dumps(told))
"""

NAMESPACE = """
import ctypes, fcntl, http.server, socket, struct, subprocess
libc = ctypes.CDLL(None, use_errno=True)
user = 0 if os.geteuid() == 0 else 0x10000000
if libc.unshare(0x40000000 | user):
    sys.exit("no namespace: " + os.strerror(ctypes.get_errno()))
told = sys.argv[2]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
    for name, ip in ((b"lo", "127.0.0.1"), (b"lo:1", "169.254.169.254")):
        address = struct.pack("=16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(ip))
        fcntl.ioctl(control, 0x8916, address)
        fcntl.ioctl(control, 0x8914, struct.pack("=16sH14x", name, 0x41))
with open(os.environ["EIGHTYSIX_LAB_MARKER"], "w") as marker:
    marker.write("%s\\n%d\\n" % (os.environ["EIGHTYSIX_LAB_NONCE"], os.stat("/proc/self/ns/net").st_ino))
paths = []
class Metadata(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        paths.append(self.path.partition("?")[0])
        body = told.encode() if self.path == "/eightysix-lab/nonce" else b""
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
if told != "nobody":
    server = http.server.ThreadingHTTPServer(("169.254.169.254", 80), Metadata)
    threading.Thread(target=server.serve_forever, daemon=True).start()
child = subprocess.run([sys.executable, "-I", "-c", sys.argv[3], sys.argv[1]], capture_output=True, text=True)
print(child.stdout + child.stderr + "PATHS " + json.dumps(paths))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder in which each driver can stand as the boot module of a package."""
    # NOTE: what a driver imports beside the standard library is not installed here, and is used only after the refusal.
    for absent in ("requests", "pycurl", "uvloop"):
        (tmp_path / f"{absent}.py").write_text("")
    (tmp_path / "boot_package").mkdir()
    (tmp_path / "boot_package" / "_stages.py").write_text(payload("stages.py"))
    (tmp_path / "boot_package" / "__init__.py").write_text("from . import _boot\n")
    return tmp_path


def run(package: Path, env: Mapping[str, str]) -> tuple[list[str], list[list[str]]]:
    """Import the package in an interpreter of its own: the lines that it printed, and what it did."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", WATCHED + RUN, str(package)],
        env={"PATH": "/nowhere", **env}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return outcome(done.stdout + done.stderr)


def outcome(text: str) -> tuple[list[str], list[list[str]]]:
    lines = text.splitlines()
    (seen,) = [json.loads(line.removeprefix("SEEN ")) for line in lines if line.startswith("SEEN ")]
    return [line for line in lines if not line.startswith(("SEEN ", "PATHS "))], seen


def refused(lines: list[str], why: str) -> bool:
    return len(lines) == 1 and lines[0].startswith("eightysix lab payload: refused") and why in lines[0]


@pytest.fixture(params=DRIVERS)
def driven(request: pytest.FixtureRequest, package: Path) -> Path:
    (package / "boot_package" / "_boot.py").write_text(payload(request.param))
    return package


def test_without_the_nonce(driven: Path) -> None:
    lines, seen = run(driven, {})
    assert refused(lines, "EIGHTYSIX_LAB_NONCE is not set"), lines
    assert seen == []


def test_without_the_marker(driven: Path, tmp_path: Path) -> None:
    lines, seen = run(
        driven, {"EIGHTYSIX_LAB_NONCE": NONCE, "EIGHTYSIX_LAB_MARKER": str(tmp_path / "absent")}
    )
    assert refused(lines, "cannot be read"), lines
    assert seen == []


def test_what_waits_to_be_called(package: Path) -> None:
    """The driver that does nothing at import refuses when it is called, too."""
    (package / "boot_package" / "_boot.py").write_text(payload("when_called.py"))
    (package / "boot_package" / "__init__.py").write_text("from ._boot import called\ncalled()\ncalled()\n")
    lines, seen = run(package, {})
    assert refused(lines, "EIGHTYSIX_LAB_NONCE is not set"), lines
    assert seen == []


@pytest.mark.parametrize(
    ("nonce", "inode", "why"),
    [
        (NONCE, "1", "another network namespace"),
        (NONCE, "", "another network namespace"),
        ("f" * 32, None, "of another run"),
        ("", None, "of another run"),
    ],
)
def test_with_a_marker_of_something_else(
    package: Path, tmp_path: Path, nonce: str, inode: str | None, why: str
) -> None:
    (package / "boot_package" / "_boot.py").write_text(payload("in_thread.py"))
    here = str(os.stat("/proc/self/ns/net").st_ino)
    marker = tmp_path / "marker"
    marker.write_text(f"{nonce}\n{here if inode is None else inode}\n")
    lines, seen = run(package, {"EIGHTYSIX_LAB_NONCE": NONCE, "EIGHTYSIX_LAB_MARKER": str(marker)})
    assert refused(lines, why), lines
    assert seen == []


def in_namespace(package: Path, tmp_path: Path, told: str) -> tuple[list[str], list[list[str]], list[str]]:
    """The same in a network namespace of its own, whose metadata address tells `told` (nothing, where it is "nobody")."""
    env = {
        "PATH": "/nowhere",
        "EIGHTYSIX_LAB_NONCE": NONCE,
        "EIGHTYSIX_LAB_MARKER": str(tmp_path / "marker"),
    }
    done = subprocess.run(
        [sys.executable, "-I", "-c", WATCHED + NAMESPACE, str(package), told, WATCHED + RUN],
        env=env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if done.returncode and "no namespace" in done.stderr:
        require_tier("root", done.stderr.strip())
    assert done.returncode == 0, done.stderr
    lines, seen = outcome(done.stdout)
    (paths,) = [json.loads(line[6:]) for line in done.stdout.splitlines() if line.startswith("PATHS ")]
    return lines, seen, paths


@pytest.mark.tier("root")
@pytest.mark.parametrize("told", ["f" * 32, NONCE[:-1], "<html>", "nobody"])
def test_where_the_metadata_service_is_not_the_labs(package: Path, tmp_path: Path, told: str) -> None:
    (package / "boot_package" / "_boot.py").write_text(payload("in_thread.py"))
    (package / "boot_package" / "_stages.py").write_text(with_done_file(tmp_path))
    lines, seen, paths = in_namespace(package, tmp_path, told)
    assert refused(lines, "no nonce" if told == "nobody" else "another nonce"), lines
    assert set(paths) <= {"/eightysix-lab/nonce"}
    connects = [event for event in seen if event[0] == "socket.connect"]
    assert len(connects) == 1
    assert "169.254.169.254" in connects[0][1]
    assert not any("secrets" in path for _, path in seen)


FORBIDDING = """
import socket
forbidden, told = [], sys.argv[2]
class Forbidding(socket.socket):
    def connect(self, address):
        if address[0] == "169.254.169.254":
            forbidden.append(address)
            raise PermissionError(1, "Operation not permitted")
        asked.append(address[0])
        raise ConnectionRefusedError(111, "nobody is there")
asked = []
socket.socket = Forbidding
"""


def test_where_the_way_to_it_is_forbidden_only_the_labs_own_address_is_asked(
    package: Path, tmp_path: Path
) -> None:
    """A machine that forbids the metadata address is no lab run by that: nobody tells the nonce, so nothing is done."""
    (package / "boot_package" / "_boot.py").write_text(payload("at_import.py"))
    marker = tmp_path / "marker"
    marker.write_text(f"{NONCE}\n{os.stat('/proc/self/ns/net').st_ino}\n")
    script = (
        WATCHED + FORBIDDING + RUN.replace('print("SEEN', 'print("ASKED " + json.dumps(asked)); print("SEEN')
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script, str(package), ""],
        env={"PATH": "/nowhere", "EIGHTYSIX_LAB_NONCE": NONCE, "EIGHTYSIX_LAB_MARKER": str(marker)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    asked, lines = done.stdout.splitlines()[-2], done.stdout.splitlines()[:-2]
    assert asked == 'ASKED ["169.254.86.86"]'
    assert refused(lines, "forbidden, and nobody else tells a nonce"), done.stdout + done.stderr


@pytest.mark.tier("root")
def test_control_where_all_three_hold_it_acts(package: Path, tmp_path: Path) -> None:
    (package / "boot_package" / "_boot.py").write_text(payload("at_import.py"))
    (package / "boot_package" / "_stages.py").write_text(with_done_file(tmp_path))
    lines, seen, paths = in_namespace(package, tmp_path, NONCE)
    assert not any("refused" in line for line in lines)
    assert paths == ["/eightysix-lab/nonce", "/metadata/identity/oauth2/token"]
    assert any(event == "open" and "serviceaccount/token" in path for event, path in seen)


def with_done_file(tmp_path: Path) -> str:
    """The payload with its mark of having been here in a folder of the test."""
    text = payload("stages.py")
    assert '"/tmp/.tpu_done"' in text
    return text.replace('"/tmp/.tpu_done"', repr(str(tmp_path / "done")))


def test_every_driver_is_tried_here() -> None:
    import eightysix.lab.scenarios as scenarios

    folder = Path(scenarios.__file__).parent / "payloads"
    assert sorted(DRIVERS) == sorted(path.name for path in folder.glob("*.py") if path.name != "stages.py")
    for path in folder.glob("*.py"):
        assert "refuses to act" in path.read_text().casefold().replace("\n", " "), path.name
