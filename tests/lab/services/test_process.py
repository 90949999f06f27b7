"""`python -m eightysix.lab.services`: starts, says so, ends with its standard input, and takes its child along."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from eightysix.lab.services.control import ask
from eightysix.lab.services.registry_debian import find
from tests.lab.services.world import running
from tests.tiers import require_tier

FREE = {"http": 0, "https": 0}


def _spec(tmp_path: Path, **members: object) -> Path:
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    names = ("metadata", "api_server", "sink", "arm", "index_server", "registry_server", "storage")
    binds = {name: {"ip": "127.0.0.1", **FREE} for name in names}
    path = tmp_path / "spec.json"
    spec = {
        "nonce": "abc",
        "out": str(out),
        "index": str(tmp_path / "index"),
        "registry": "own",
        **binds,
        **members,
    }
    path.write_text(json.dumps(spec))
    return path


def _start(path: Path) -> tuple[subprocess.Popen[bytes], Mapping[str, Any]]:
    command = [sys.executable, "-m", "eightysix.lab.services", str(path)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment()
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def test_it_ends_with_its_standard_input(tmp_path: Path) -> None:
    process, told = _start(_spec(tmp_path))
    assert told["ready"] is True
    assert told["registry"] == "the lab's own"
    assert ask(Path(told["control"]), "leap", seconds=1.0)["ahead_ns"] == 10**9
    out, err = process.communicate(timeout=30)  # closes the input
    assert json.loads(out) == {"ended": True, "dropped": 0}
    assert (process.returncode, err) == (0, b"")
    assert not Path(told["control"]).exists()


@pytest.mark.tier("registry")
def test_its_registry_does_not_outlive_it_even_when_it_is_killed(tmp_path: Path) -> None:
    if find("docker-registry") is None:
        require_tier("registry", "there is no docker-registry (Debian's package of this name)")
    process, told = _start(_spec(tmp_path, registry="debian"))
    assert told["registry"] != "the lab's own"
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 1
    watched = os.pidfd_open(int(children[0]))
    try:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        assert select.select([watched], [], [], 30)[0], "the registry lives on"
    finally:
        os.close(watched)


def test_sigterm_ends_it_in_order(tmp_path: Path) -> None:
    process, told = _start(_spec(tmp_path))
    process.terminate()
    assert process.wait(30) == 0
    assert not Path(told["control"]).exists()
    process.communicate()


def test_what_cannot_be_started_says_why(tmp_path: Path) -> None:
    def run(path: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "eightysix.lab.services", path]
        done = subprocess.run(
            command, input=b"", capture_output=True, check=False, timeout=60, env=_environment()
        )
        return done.returncode, done.stderr.decode()

    assert run(str(tmp_path / "absent.json"))[0] == 2
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    code, said = run(str(broken))
    assert (code, said.startswith("the spec cannot be used: ")) == (2, True)
    code, said = run(str(_spec(tmp_path, registry="debian", registry_binary="no-such-program")))
    assert (code, "install Debian's package docker-registry" in said) == (1, True)
    code, said = run(str(_spec(tmp_path, sink={"ip": "192.0.2.1", "http": 0, "https": -1})))
    assert (code, said.startswith("the services cannot run: ")) == (1, True)


def test_without_its_extra_it_names_it(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from eightysix.lab.services.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, str(_spec(tmp_path))]
    done = subprocess.run(
        command, input=b"", capture_output=True, check=False, timeout=60, env=_environment()
    )
    assert done.returncode == 2
    assert done.stderr.decode().endswith("pip install 'eightysix[lab]'\n")


def test_without_tls_everything_but_the_api_server_answers_plainly(tmp_path: Path) -> None:
    with running(tmp_path, tls=False) as world:
        assert "api_server" not in world.addresses
        assert all("https" not in ports for ports in world.addresses.values())
        assert world.call("arm", "GET", "/subscriptions?api-version=1").status == 401
        assert world.start_pod()["token"] == ""
        digest = world.ask("push", repository="a", tag="b", content_b64="AA==", by="ci")["digest"]
        assert digest.startswith("sha256:")
