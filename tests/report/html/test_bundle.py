"""What lies in the package is what the source gives, with the licences of what is inside."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from eightysix.report.html import page

pytestmark = pytest.mark.tier("node")

PACKAGE = Path(page.__file__).parent


def test_the_source_gives_the_bytes_of_the_package(libraries: Path, tmp_path: Path) -> None:
    """CI's proof that nobody changed the bundle by hand, or forgot `make web`."""
    subprocess.run(["node", "build.mjs", str(tmp_path)], cwd=libraries, check=True, timeout=120)
    built = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    assert sorted(built) == [
        f"{report}.{kind}" for report in ("incident", "posture") for kind in ("css", "js", "licences.txt")
    ]
    for name, data in built.items():
        assert (PACKAGE / name).read_bytes() == data, f"{name} is not what web/report gives: make web"


def test_the_source_is_typed_strictly(libraries: Path) -> None:
    done = subprocess.run(
        ["node_modules/.bin/tsc", "--noEmit"],
        cwd=libraries, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.stdout + done.stderr == ""
    assert json.loads((libraries / "tsconfig.json").read_text())["compilerOptions"]["strict"] is True


def test_versions_are_exact() -> None:
    folder = Path(__file__).parents[3] / "web" / "report"
    package = json.loads((folder / "package.json").read_text())
    lock = json.loads((folder / "package-lock.json").read_text())
    wanted = package["dependencies"] | package["devDependencies"]
    assert all(version.replace(".", "").isdigit() for version in wanted.values())
    assert {name: lock["packages"][f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert all(one.get("integrity") for name, one in lock["packages"].items() if name)
    assert all("resolved" not in one for one in lock["packages"].values())


def test_every_library_inside_has_its_licence() -> None:
    licences = (PACKAGE / "incident.licences.txt").read_text()
    named = (
        "@dagrejs/dagre",
        "@dagrejs/graphlib",
        "d3-brush",
        "d3-scale",
        "d3-selection",
        "d3-zoom",
        "preact",
    )
    for name in named:
        assert f"\n{name} " in f"\n{licences}"
    assert licences.count("Copyright") >= 4


def test_the_source_writes_no_markup_from_data() -> None:
    source = Path(__file__).parents[3] / "web" / "report" / "src"
    files = [one for one in source.rglob("*.ts*") if one.is_file()]
    assert len(files) > 20
    for file in files:
        text = file.read_text()
        for word in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "dangerouslySet",
            "document.write",
            "eval(",
        ):
            assert word not in text, file
        assert text.count("\n") < 420, f"{file} is long"
