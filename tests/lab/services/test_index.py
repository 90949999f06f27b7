"""The package index, by real pip and uv where they are there."""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from eightysix.lab.services.index import normal
from tests.lab.services.world import World
from tests.tiers import require_tier

SIMPLE = "application/vnd.pypi.simple.v1+json"


def _wheel(name: str, version: str) -> bytes:
    raw = io.BytesIO()
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr(f"{name}.py", f"__version__ = {version!r}\n")
        archive.writestr(
            f"{info}/METADATA",
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: >=3.8\n",
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        files = "".join(
            f"{file},,\n" for file in (f"{name}.py", f"{info}/METADATA", f"{info}/WHEEL", f"{info}/RECORD")
        )
        archive.writestr(f"{info}/RECORD", files)
    return raw.getvalue()


def _publish(world: World, name: str, version: str) -> Path:
    path = world.index / f"{name}-{version}-py3-none-any.whl"
    path.write_bytes(_wheel(name, version))
    return path


def test_both_forms_tell_hashes_metadata_and_yanks(world: World) -> None:
    good, bad = _publish(world, "form_test", "1.0"), _publish(world, "form_test", "1.1")
    bad.with_name(f"{bad.name}.yanked").write_text('broken <b>"')
    page = world.call("index", "GET", "/simple/Form.Test/", Accept=SIMPLE)
    assert page.headers["content-type"] == SIMPLE
    told = page.json
    assert (told["name"], told["versions"]) == ("form-test", ["1.0", "1.1"])
    first, second = told["files"]
    assert first["hashes"] == {"sha256": sha256(good.read_bytes()).hexdigest()}
    assert (first["yanked"], second["yanked"], first["requires-python"]) == (False, 'broken <b>"', ">=3.8")
    metadata = world.call("index", "GET", f"{first['url']}.metadata").body
    assert first["core-metadata"] == {"sha256": sha256(metadata).hexdigest()}
    assert metadata.startswith(b"Metadata-Version")
    text = world.call("index", "GET", "/simple/form-test/").body.decode()
    assert f'href="/files/{good.name}#sha256={sha256(good.read_bytes()).hexdigest()}"' in text
    assert 'data-yanked="broken &lt;b&gt;&quot;"' in text
    assert 'data-requires-python="&gt;=3.8"' in text
    names = world.call("index", "GET", "/simple/", Accept=f"{SIMPLE}, text/html;q=0.1").json["projects"]
    assert {"name": "form-test"} in names
    assert world.call("index", "GET", "/simple/", Accept=f"{SIMPLE};q=0.1, text/html").body.startswith(
        b"<!DOCTYPE"
    )


def test_what_is_no_package_is_not_there(world: World, tmp_path: Path) -> None:
    (world.index / "half-1.0-py3-none-any.whl").write_bytes(_wheel("half", "1.0")[:200])
    (world.index / "notes.txt").write_text("no")
    outside = tmp_path / "outside-1.0-py3-none-any.whl"
    outside.write_bytes(_wheel("outside", "1.0"))
    (world.index / outside.name).symlink_to(outside)
    for name in ("half", "notes", "outside", "nothing"):
        assert world.call("index", "GET", f"/simple/{name}/").status == 404
    for path in (
        "/files/notes.txt",
        f"/files/{outside.name}",
        "/files/..%2fout%2ftruth.jsonl",
        "/files/%2fetc%2fpasswd",
        "/files/",
    ):
        assert world.call("index", "GET", path).status == 404
    assert world.call("index", "POST", "/simple/", b"").status == 405
    (world.index / "half-1.0-py3-none-any.whl").write_bytes(_wheel("half", "1.0"))
    assert world.call("index", "GET", "/simple/half/").status == 200


def test_names_are_compared_as_pep_503_says() -> None:
    assert {normal(name) for name in ("Foo_Bar", "foo.bar", "FOO-bar", "foo-_.bar")} == {"foo-bar"}


def _environment(world: World) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(world.out),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_CACHE_DIR": "1",
    }


def test_pip_installs_and_takes_a_new_release_at_once(world: World, tmp_path: Path) -> None:
    if importlib.util.find_spec("pip") is None:
        require_tier("pip", "this interpreter has no pip")
    ip, port = world.addresses["index"]["ip"], world.addresses["index"]["https"]
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--cert",
        world.services.ca,
        "--target",
        str(tmp_path),
    ]
    command += ["--index-url", f"https://{ip}:{port}/simple", "--no-compile", "--upgrade"]

    def install(*names: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *names],
            env=_environment(world),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    _publish(world, "pip_test", "1.0")
    assert install("pip-test").returncode == 0
    newest = _publish(world, "pip_test", "1.1")
    done = install("pip-test")
    assert done.returncode == 0, done.stderr
    assert "1.1" in (tmp_path / "pip_test.py").read_text()
    assert ".whl.metadata" in done.stdout  # PEP 658: the metadata was asked for, not the wheel
    mark = world.marks("index-download")[-1]
    assert (mark["file"], mark["sha256"]) == (newest.name, sha256(newest.read_bytes()).hexdigest())
    assert mark["user_agent"].startswith("pip/")
    assert "{" not in mark["user_agent"]
    newest.with_name(f"{newest.name}.yanked").write_text("bad")
    assert install("pip-test").returncode == 0
    assert "1.0" in (tmp_path / "pip_test.py").read_text()
    assert install("no-such-project").returncode == 1


@pytest.mark.tier("uv")
def test_uv_installs(world: World, tmp_path: Path) -> None:
    uv = os.environ.get("EIGHTYSIX_UV") or shutil.which("uv")
    if uv is None:
        require_tier("uv", "there is no uv (EIGHTYSIX_UV names one)")
    wheel = _publish(world, "uv_test", "2.0")
    ip, port = world.addresses["index"]["ip"], world.addresses["index"]["http"]
    command = [
        uv,
        "pip",
        "install",
        "--no-config",
        "--no-cache",
        "--index-url",
        f"http://{ip}:{port}/simple",
        "--target",
        str(tmp_path),
    ]
    command += ["--python", sys.executable, "uv-test"]
    done = subprocess.run(
        command, env=_environment(world), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    mark = world.marks("index-download")[-1]
    assert mark["file"] == wheel.name
    assert mark["user_agent"].startswith("uv/")
