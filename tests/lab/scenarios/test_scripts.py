"""Every scenario's script, driven by a stage that only writes down: names, files, packages and marks must fit together.

That a scenario does what it says is shown by playing it for real; this finds the slip of the pen before that.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from eightysix.lab.interface import Answer, Bounds, Done, PodSpec, Scenario, Stage, Subset, Wheel
from eightysix.lab.pods import environments
from eightysix.lab.scenarios import cast, load, starting
from eightysix.lab.services.truth import MARKS
from eightysix.lab.wheels import build

SCENARIOS = load()
ORDER = ("none", "watch", "suspect", "contain")


class Written:
    """A stage on which nothing happens."""

    def __init__(self) -> None:
        self.running: dict[str, PodSpec] = {}
        self.wheels: dict[tuple[str, str], Wheel] = {}
        self.pulled: dict[str, str] = {}
        self.pushed: set[tuple[str, str]] = set()
        self.waited: list[str] = []
        self.steps = 0

    def _pod(self, name: str) -> PodSpec:
        assert self.running, "nothing runs yet"
        return self.running[name] if name else next(iter(self.running.values()))

    def start(self, pod: PodSpec) -> None:
        assert pod.name not in self.running
        assert pod.venv in environments.NAMES
        assert pod.argv[0] in ("python", "sh")
        assert pod.argv[1] in pod.files
        assert all(path.startswith("/") and ".." not in path for path in pod.files)
        for path, text in pod.files.items():
            if path.endswith(".py"):
                ast.parse(text, path)
        if pod.argv[0] == "sh":
            self._script(pod.files[pod.argv[1]])
        assert pod.ip not in {other.ip for other in self.running.values()}
        self.running[pod.name] = pod
        for module in filter(None, pod.env.get("PLUGINS", "").split(",")):
            assert self._modules(module) or any(f"/{module}/" in path for path in pod.files), module

    def _script(self, text: str) -> None:
        for line in text.splitlines():
            if "pip install" in line and "-r " not in line:
                self._wanted(line.split()[-1])

    def _modules(self, name: str) -> list[Wheel]:
        return [
            wheel
            for wheel in self.wheels.values()
            if any(path.startswith(f"{name}/") for path in wheel.files)
        ]

    def _wanted(self, requirement: str) -> None:
        name, _, version = requirement.partition("==")
        assert [key for key in self.wheels if key[0] == name and version in ("", key[1])], requirement

    def restart(self, pod: PodSpec) -> None:
        self.running.pop(pod.name)
        self.start(pod)

    def exec(self, *argv: str, pod: str = "", check: bool = True, timeout_s: float = 90.0) -> Done:
        self._pod(pod)
        if argv[:2] == ("pip", "install"):
            self._wanted(argv[-1])
        if argv[:2] == ("python", "-c"):
            ast.parse(argv[2])
        return Done(0, "")

    def probe(self, *argv: str, pod: str = "", timeout_s: float = 30.0) -> Done:
        self._pod(pod)
        return Done(0, "")

    def call(self, path: str, *, body: bytes = b"", pod: str = "", timeout_s: float = 60.0) -> Answer:
        spec = self._pod(pod)
        assert spec.port
        self.steps += 1
        parts = urlsplit(path)
        fields = {name: values[0] for name, values in parse_qs(parts.query).items()}
        route = parts.path.split("/")[1]
        if "/app/notebook.py" in spec.files:
            ast.parse(body.decode())
            return Answer(200, b"{}")
        assert route in ROUTES, route
        if route == "patch":
            self._wanted(fields["requirement"])
        elif route == "reload":
            assert self._modules(parts.path.split("/")[2])
        elif route == "pull":
            assert (fields["repository"], fields["tag"]) in self.pushed
            self.pulled[fields["to"]] = fields["repository"]
        elif route == "load":
            assert fields["path"] in self.pulled
        return Answer(200, b"{}")

    def publish(self, *wheels: Wheel) -> None:
        for wheel in wheels:
            assert build(wheel) == build(wheel)
            for path, text in wheel.files.items():
                if path.endswith(".py"):
                    ast.parse(text, path)
            self.wheels[wheel.name, wheel.version] = wheel

    def push(self, repository: str, tag: str, content: bytes, *, by: str) -> str:
        assert content
        self.pushed.add((repository, tag))
        return "sha256:" + "0" * 64

    def wait(self, mark: str, *, count: int = 1, timeout_s: float = 30.0) -> None:
        assert mark in MARKS
        self.waited.append(mark)

    def sleep(self, seconds: float) -> None:
        assert 0 < seconds <= 10

    def leap(self, seconds: float) -> None:
        assert seconds > 0

    def path(self) -> Path:
        return Path("/nowhere")


def _routes() -> set[str]:
    """What the server answers to, by its own table."""
    tree = ast.parse(cast.app("server.py"))
    (table,) = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ROUTES"
    ]
    return {path.split("/")[1] for path in ast.literal_eval(ast.unparse(_keys(table)))} | {"state"}


def _keys(table: ast.expr) -> ast.expr:
    assert isinstance(table, ast.Dict)
    return ast.List(elts=[key for key in table.keys if key is not None])


ROUTES = _routes()


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one wheel that comes from an environment of the pods, which need not be built to read a script."""
    wheel = Wheel("azure-identity", "1.27.0", {"azure/identity/__init__.py": ""})
    monkeypatch.setattr(starting, "azure_identity", lambda: wheel)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_script(scenario: Scenario) -> None:
    stage = Written()
    acted: Stage = stage
    scenario.play(acted)
    assert stage.running
    assert stage.steps or stage.waited
    poison = [
        wheel for wheel in stage.wheels.values() if any(path.endswith("_stages.py") for path in wheel.files)
    ]
    if not scenario.label.malicious:
        assert not poison
        assert "sink" not in stage.waited
    else:
        assert {"sink", "registry-push"} & {*stage.waited}


def test_there_are_enough() -> None:
    attacks = [scenario for scenario in SCENARIOS.values() if scenario.label.malicious]
    assert len(attacks) >= 16
    assert len(SCENARIOS) - len(attacks) >= 10
    assert len([one for one in attacks if "torch" not in one.needs]) >= 14


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_label(scenario: Scenario) -> None:
    label = scenario.label
    assert label.scenario == scenario.name
    assert set(label.subsets) == set(Subset)
    for bounds in label.subsets.values():
        assert ORDER.index(bounds.at_least) <= ORDER.index(bounds.at_most)
    assert label.telling
    assert label.how.endswith(".")
    assert not label.before or label.before in MARKS
    if label.malicious:
        _attack(label.subsets)
        twin = SCENARIOS[label.twin].label
        assert not twin.malicious
        assert {"land", "run"} & {*label.stages}
    else:
        assert all(bounds.at_most in ("none", "watch") for bounds in label.subsets.values())
        assert SCENARIOS[label.twin].label.malicious


def _attack(subsets: Mapping[Subset, Bounds]) -> None:
    for bounds in subsets.values():
        assert bounds.at_least in ("suspect", "contain") or bounds.why
    assert subsets[Subset.ALL].at_least == "contain" or subsets[Subset.ALL].why
    assert subsets[Subset.SENSOR].at_most != "contain", "the suspect's word alone never contains"


def test_payloads_and_programs_are_data_and_ship() -> None:
    for folder, name in (("eightysix.lab.scenarios", "payloads"), ("eightysix.lab", "app")):
        place = files(folder) / name
        assert any(one.name.endswith(".py") for one in place.iterdir())
        assert not (place / "__init__.py").is_file()
