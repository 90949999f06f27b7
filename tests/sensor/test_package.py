"""The sensor's distribution: built, installed into an empty environment, copied for an init container, and used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.sensor.preloading import SENSOR, compiling, library
from tests.tiers import require_tier

BUILD = [sys.executable, "-m", "hatchling", "build", "-t"]


def build(kind: str, folder: Path, source: Path = SENSOR, **env: str) -> Path:
    """A wheel or sdist, built offline by the backend that is here."""
    done = subprocess.run(
        [*BUILD, kind, "-d", folder],
        cwd=source,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    if "No module named" in done.stderr:
        require_tier("build", "hatchling is not here")
    assert done.returncode == 0, done.stderr
    (made,) = (path for path in folder.iterdir() if path.suffix in (".whl", ".gz"))
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library()
    return build("wheel", tmp_path_factory.mktemp("wheel"), EIGHTYSIX_SENSOR_NATIVE="required")


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter of an environment with the wheel and nothing else."""
    folder = tmp_path_factory.mktemp("alone")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python3.*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)  # noqa: S202 - our own wheel
    return folder / "bin" / "python"


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def run(*command: str | Path, **env: str) -> str:
    done = subprocess.run(
        command, env={"PATH": os.environ["PATH"], **env}, cwd="/", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_the_native_part_and_its_tag_says_so(wheel: Path) -> None:
    target = compiling().target("cc")
    assert f"eightysix_sensor/_native/{target}/eightysix_preload.so" in names(wheel)
    assert "eightysix_sensor/py.typed" in names(wheel)
    assert any(name.endswith("licenses/LICENSE") for name in names(wheel))
    assert wheel.name.endswith(f"-py3-none-linux_{target.partition('-')[0]}.whl")
    assert not any(name.endswith((".c", ".h", ".pyc")) for name in names(wheel))


def test_the_same_sources_give_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    again = build("wheel", tmp_path)
    assert again.read_bytes() == wheel.read_bytes()


def test_the_version_is_the_same_everywhere(wheel: Path) -> None:
    header = (SENSOR / "native" / "preload.h").read_text()
    version = wheel.name.split("-")[1]
    assert f'#define EIGHTYSIX_VERSION "{version}"' in header


@pytest.mark.parametrize(
    "env", [{"EIGHTYSIX_SENSOR_NATIVE": "off"}, {"EIGHTYSIX_SENSOR_COMPILERS": "no-such-compiler"}]
)
def test_without_a_compiler_the_wheel_is_for_any_machine_and_says_what_it_lacks(
    tmp_path: Path, env: dict[str, str]
) -> None:
    made = build("wheel", tmp_path, SENSOR, **env)
    assert made.name.endswith("-py3-none-any.whl")
    assert not any("_native" in name for name in names(made))
    with zipfile.ZipFile(made) as archive:
        archive.extractall(tmp_path / "in")  # noqa: S202 - our own wheel
    done = subprocess.run(
        [sys.executable, "-m", "eightysix_sensor", "where"],
        cwd=tmp_path / "in",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "without a compiler" in done.stderr


def test_a_wheel_that_must_have_it_is_not_built_without(tmp_path: Path) -> None:
    build("wheel", tmp_path / "first", EIGHTYSIX_SENSOR_NATIVE="off")  # skips where the backend is not here
    env = {
        **os.environ,
        "EIGHTYSIX_SENSOR_NATIVE": "required",
        "EIGHTYSIX_SENSOR_COMPILERS": "no-such-compiler",
    }
    done = subprocess.run(
        [*BUILD, "wheel", "-d", tmp_path / "out"], cwd=SENSOR, env=env, capture_output=True, check=False
    )
    assert done.returncode != 0
    assert not list(tmp_path.glob("out/*.whl"))


def test_the_source_distribution_builds_elsewhere(wheel: Path, tmp_path: Path) -> None:
    source = build("sdist", tmp_path)
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path / "src", filter="data")
    (folder,) = (tmp_path / "src").iterdir()
    made = build("wheel", tmp_path / "out", folder, EIGHTYSIX_SENSOR_NATIVE="required")
    assert names(made) == names(wheel)


def test_other_machines_by_naming_their_compilers(tmp_path: Path) -> None:
    library("aarch64-linux-gnu-gcc")
    library("musl-gcc")
    compilers = "cc,musl-gcc,aarch64-linux-gnu-gcc"
    platform = "manylinux_2_17_x86_64"
    made = build("wheel", tmp_path, EIGHTYSIX_SENSOR_COMPILERS=compilers, EIGHTYSIX_SENSOR_PLATFORM=platform)
    inside = {name.split("/")[2] for name in names(made) if "_native" in name}
    assert inside == {"x86_64-gnu", "x86_64-musl", "aarch64-gnu"}
    assert made.name.endswith(f"-py3-none-{platform}.whl")


def test_where_names_the_file_for_this_machine_or_says_which_there_are(python: Path) -> None:
    path = Path(run(python, "-m", "eightysix_sensor", "where").strip())
    assert path.is_file()
    assert path.parent.name == compiling().target("cc")
    # one file serves both C libraries
    other = run(
        python, "-m", "eightysix_sensor", "where", f"{path.parent.name.partition('-')[0]}-musl"
    ).strip()
    assert other == str(path)
    done = subprocess.run(
        [python, "-m", "eightysix_sensor", "where", "riscv64-gnu"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"it has {path.parent.name}" in done.stderr


def test_usage(python: Path) -> None:
    for words in ([], ["install"], ["where", "a", "b"], ["nothing"]):
        done = subprocess.run(
            [python, "-m", "eightysix_sensor", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2, words
        assert done.stderr.startswith("usage:")


def test_a_copy_for_an_init_container_works_and_can_be_made_again(python: Path, tmp_path: Path) -> None:
    target = tmp_path / "opt"
    for _ in range(2):
        before = os.umask(0o077)
        try:
            told = run(python, "-m", "eightysix_sensor", "install", target).split()
        finally:
            os.umask(before)
        assert told == [str(target / "eightysix_sensor"), str(target / "eightysix_preload.so")]
    assert sorted(path.name for path in target.iterdir()) == ["eightysix_preload.so", "eightysix_sensor"]
    for path in (target / "eightysix_sensor").rglob("*"):
        assert path.stat().st_mode & 0o004, f"{path} cannot be read by others"
    compiled = {
        path.name.partition(".")[0] for path in (target / "eightysix_sensor" / "__pycache__").iterdir()
    }
    assert compiled >= {path.stem for path in (target / "eightysix_sensor").glob("*.py")}


def test_installed_and_preloaded_it_writes_records(python: Path, tmp_path: Path) -> None:
    run(python, "-m", "eightysix_sensor", "install", tmp_path / "opt")
    records = tmp_path / "records.jsonl"
    run(
        sys.executable,
        "-c",
        "import socket; socket.socket().connect_ex(('127.0.0.1', 9))",
        LD_PRELOAD=str(tmp_path / "opt" / "eightysix_preload.so"),
        EIGHTYSIX_SENSOR=f"file:{records}",
        EIGHTYSIX_SENSOR_HOME=str(tmp_path / "opt"),
    )
    told = [json.loads(line) for line in records.read_text().splitlines()]
    assert "connect" in [record["event"] for record in told]
    assert all(record["v"] == 1 for record in told)
