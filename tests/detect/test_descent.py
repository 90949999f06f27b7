"""What a process descends from, where no single record says it: packages, code without a file, starts that were announced."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.detect.lineage import Lineage
from eightysix.lab.generate.programs import METADATA, Wheel, call, install, pip_command, read_service_account
from eightysix.lab.generate.scenarios.cast import inference, start_server
from eightysix.lab.generate.scene import Scene
from eightysix.lab.generate.sensor import Stack
from eightysix.lab.generate.settings import FULL
from eightysix.model.incident import Report
from eightysix.rules.catalog import load_packaged
from eightysix.serve.replay import Replay, ReplayOptions
from tests.detect.test_lineage import fact
from tests.review.stream import EVIL, STORE, Pod, Process, judge, worst
from tests.review.test_attacks import PYTHON, pip, steal

HOUR = 3600.0
SITE = "/opt/venv/lib/python3.11/site-packages"
INLINE = "a program started an interpreter on code without a file"
FRESH = "code that landed started the process"
PACKAGE = "belongs to a package that was installed"
WORKER = "from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=5, pipe_handle=7)"


def told(report: Report, text: str) -> bool:
    """Whether any incident gives points for `text`."""
    return any(text in why.text for incident in report.incidents for why in incident.why)


def running() -> tuple[Pod, Process]:
    """A server that has run for three hours and installs a plug-in."""
    pod = Pod()
    process = pod.process(0.03, PYTHON, "/app/server.py", tree=True)
    pip(pod, 3 * HOUR)
    return pod, process


@pytest.mark.parametrize("code", ['-c "import base64;exec(x)"', "-", "-u -", "-Ic pass"])
def test_code_without_a_file_that_a_program_starts(tmp_path: Path, code: str) -> None:
    pod, process = running()
    child = pod.process(3 * HOUR + 5, f"{PYTHON}3", code, process)
    steal(pod, child, 3 * HOUR + 6)
    report = judge(tmp_path, pod, sources="k")
    assert worst(report) in ("suspect", "contain")
    assert told(report, INLINE)


@pytest.mark.parametrize(
    ("binary", "arguments"),
    [
        ("/bin/bash", "/app/run.sh"),
        ("/bin/sh", "-c x"),
        ("/usr/bin/tini", "-- python"),
        ("/usr/bin/env", "bash"),
    ],
)
def test_one_liners_of_shells_are_usual(tmp_path: Path, binary: str, arguments: str) -> None:
    """Start scripts and people write `python -c`, and so does what runs a container's command as its first process."""
    pod, process = running()
    shell = pod.process(3 * HOUR + 4, binary, arguments, process)
    child = pod.process(3 * HOUR + 5, PYTHON, '-c "import azure.identity"', shell)
    steal(pod, child, 3 * HOUR + 6)
    assert not told(judge(tmp_path, pod, sources="k"), INLINE)


@pytest.mark.parametrize(
    ("code", "worker"),
    [
        (WORKER, True),
        (f"{WORKER[:-1]}); __import__('os').system('x'))", False),
        (f"{WORKER};exec(x)", False),
        (f"import evil;{WORKER}", False),
    ],
)
def test_workers_of_multiprocessing(tmp_path: Path, code: str, worker: bool) -> None:
    """Who writes more than `multiprocessing` does behind `-c` is no worker of it."""
    pod, process = running()
    child = pod.process(3 * HOUR + 5, PYTHON, f'-c "{code}" --multiprocessing-fork', process)
    steal(pod, child, 3 * HOUR + 6)
    assert told(judge(tmp_path, pod, sources="k"), INLINE) is not worker


def test_a_program_in_the_folder_of_a_package_that_was_installed(tmp_path: Path) -> None:
    pod, process = running()
    runner = pod.process(3 * HOUR + 5, f"{SITE}/torch_perf_utils/bin/bun", "run x.js", process)
    steal(pod, runner, 3 * HOUR + 6)
    assert told(judge(tmp_path, pod, sources="k"), PACKAGE)


@pytest.mark.parametrize("at", [2 * HOUR, 3 * HOUR - 60])
def test_a_program_of_a_package_that_was_there_before(tmp_path: Path, at: float) -> None:
    """The same program, started before the install: the image's own."""
    pod = Pod()
    process = pod.process(0.03, PYTHON, "/app/server.py", tree=True)
    runner = pod.process(at, f"{SITE}/torch_perf_utils/bin/bun", "run x.js", process)
    pip(pod, 3 * HOUR)
    steal(pod, runner, 3 * HOUR + 6)
    assert not told(judge(tmp_path, pod, sources="k"), PACKAGE)


@pytest.mark.parametrize("folder", ["/opt/venv", "/tmp/venv"])
def test_a_tool_that_an_installer_put_among_programs(tmp_path: Path, folder: str) -> None:
    """A notebook installs a tool, also into a virtual environment under /tmp, and lets it fetch data from outside."""
    pod = Pod("jupyter-a", workload="jupyter", kind="Pod")
    kernel = pod.process(0.1, PYTHON, "-m ipykernel_launcher -f k.json", tree=True)
    venv = pod.process(3 * HOUR, PYTHON, f"{folder}/bin/pip install -q dvc", kernel)
    venv.installs(3 * HOUR + 2, "dvc", "3.1.0")
    venv.file(3 * HOUR + 2.5, f"{folder}/bin/dvc", 2)
    venv.exit(3 * HOUR + 3)
    tool = pod.process(3 * HOUR + 5, PYTHON, f"{folder}/bin/dvc pull", kernel)
    tool.connect(3 * HOUR + 6, STORE)
    tool.connect(3 * HOUR + 7, EVIL)
    assert worst(judge(tmp_path, pod, sources="k")) in ("none", "watch")


def test_a_tool_that_somebody_wrote_over_is_one_that_landed(tmp_path: Path) -> None:
    """An installer put it there, and a program of the container changed it afterwards."""
    pod = Pod()
    process = pod.process(0.1, PYTHON, "/app/server.py", tree=True)
    installer = pod.process(3 * HOUR, PYTHON, "/tmp/venv/bin/pip install -q dvc", process)
    installer.installs(3 * HOUR + 2, "dvc", "3.1.0")
    installer.file(3 * HOUR + 2.5, "/tmp/venv/bin/dvc", 2)
    installer.exit(3 * HOUR + 3)
    process.file(3 * HOUR + 4, "/tmp/venv/bin/dvc", 2)
    tool = pod.process(3 * HOUR + 5, "/tmp/venv/bin/dvc", "", process)
    tool.connect(3 * HOUR + 7, EVIL)
    assert worst(judge(tmp_path, pod, sources="k")) == "suspect"


@given(st.lists(st.tuples(st.integers(0, 59), st.sampled_from(["", "sh", "other"])), max_size=20))
def test_children_come_in_the_order_of_their_start(children: list[tuple[int, str]]) -> None:
    facts = {"sh": fact(pid=2, second=0), "other": fact(pid=3, second=0)}
    facts |= {f"c{n}": fact(parent, 10 + n, second, "/bin/x") for n, (second, parent) in enumerate(children)}
    tree = Lineage(facts, [])
    found = tree.children_of("c9eb4ebb9cee", 2)
    assert found == sorted(found)
    assert {child for _, child in found} == {
        f"c{n}" for n, (_, parent) in enumerate(children) if parent == "sh"
    }
    assert not tree.children_of("000000000000", 2)


def test_a_process_that_replaces_its_image_is_no_child_of_its_own() -> None:
    tree = Lineage({"sh": fact(pid=5, second=1), "python": fact("sh", pid=5, second=2)}, [])
    assert tree.children_of("c9eb4ebb9cee", 5) == []


@dataclass(frozen=True)
class Start:
    """A start that the sensor announced, and the process that the kernel saw."""

    by: tuple[str, ...] = ("torch-perf-utils",)
    named: str = "/usr/bin/node"
    binary: str = "/usr/bin/node"
    after_s: float = 0.002
    other_parent: bool = False


def spawned(folder: Path, start: Start) -> Report:
    """A server imports a plug-in that was installed later; a process takes two identities with a program of the image."""
    scene = Scene(FULL)
    container = inference(scene)
    process = scene.entrypoint(0.31, container, PYTHON, "/app/server.py")
    start_server(process, 0.31)
    installer = process.exec(1_500.0, f"{PYTHON}3", pip_command("-U", "torch-perf-utils"))
    install(installer, 1_500.0, [Wheel("torch-perf-utils", "1.4.3")])
    process.sense_child(1_510.0, [start.named, "x.js"], Stack(start.by))
    parent = process.fork(1_509.0) if start.other_parent else process
    child = parent.exec(1_510.0 + start.after_s, start.binary, "x.js", python=False)
    call(child, 1_515.0, METADATA, None)
    read_service_account(child, 1_516.0, None)
    paths = []
    for name, lines in scene.streams().items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        paths.append(str(folder / name))
    return Replay(load_packaged(), ReplayOptions()).read(paths, None)


@pytest.mark.parametrize(
    "start", [Start(), Start(after_s=-0.2), Start(after_s=2.9), Start(named="node")], ids=str
)
def test_a_process_that_code_of_a_fresh_package_started(tmp_path: Path, start: Start) -> None:
    assert told(spawned(tmp_path, start), FRESH)


@pytest.mark.parametrize(
    "start",
    [
        Start(by=("app:/app/server.py",)),
        Start(by=("torch-perf-utils", "app:/app/server.py")),
        Start(named="/usr/bin/git"),
        Start(after_s=-0.3),
        Start(after_s=3.1),
        Start(other_parent=True),
    ],
    ids=str,
)
def test_another_start_is_not_that_of_the_fresh_package(tmp_path: Path, start: Start) -> None:
    """The application's own, of another program, at another time, or of another process."""
    assert not told(spawned(tmp_path, start), FRESH)
