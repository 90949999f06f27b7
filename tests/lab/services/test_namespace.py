"""The services at the world's own addresses, in a network namespace of an ordinary user: as in a run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from eightysix.lab.world import HOSTS, METADATA_IP
from tests.tiers import require_tier

pytestmark = pytest.mark.tier("runtime")

_INSIDE = """
import json, socket, ssl, subprocess, sys, urllib.request
told = json.loads(sys.argv[1])
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
for ip in sorted({*told["hosts"].values(), told["metadata"]}):
    subprocess.run(["ip", "addr", "add", ip + "/32", "dev", "lo"], check=True)
real = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: real(told["hosts"].get(host, host), *rest, **more)
command = [sys.executable, "-m", "eightysix.lab.services", told["spec"]]
with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as services:
    ready = json.loads(services.stdout.readline())
    trust = ssl.create_default_context(cafile=ready["ca"])
    out = {"nonce": urllib.request.urlopen("http://169.254.169.254/eightysix-lab/nonce").read().decode().strip()}
    for host in told["hosts"]:
        try:
            out[host] = urllib.request.urlopen("https://" + host + "/", context=trust).status
        except urllib.error.HTTPError as error:
            out[host] = error.code
    try:
        socket.create_connection(("192.0.2.1", 80), timeout=5)
    except OSError as error:
        out["elsewhere"] = error.strerror
    services.stdin.close()
    out["code"] = services.wait(30)
print(json.dumps(out))
"""


def test_every_name_of_the_world_is_served_with_its_certificate_and_nothing_else(tmp_path: Path) -> None:
    unshare, ip = shutil.which("unshare"), shutil.which("ip")
    if unshare is None or ip is None:
        require_tier("runtime", "there is no unshare or no ip")
    enter = [unshare, "--user", "--map-root-user", "--net"]
    if subprocess.run([*enter, "true"], capture_output=True, check=False, timeout=30).returncode:
        require_tier("runtime", "this kernel gives ordinary users no network namespace")
    out = tmp_path / "out"
    out.mkdir()
    spec = tmp_path / "spec.json"
    spec.write_text(
        json.dumps({"nonce": "abc", "out": str(out), "index": str(tmp_path / "index"), "registry": "own"})
    )
    told = json.dumps({"hosts": HOSTS, "metadata": METADATA_IP, "spec": str(spec)})
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [*enter, sys.executable, "-c", _INSIDE, told]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert (said.pop("nonce"), said.pop("code")) == ("abc", 0)
    assert said.pop("elsewhere") == "Network is unreachable"
    assert set(said) == set(HOSTS)
    assert all(200 <= code < 500 for code in said.values()), said
