"""Loads beside a scan ledger: what the scan of the node said of a file, and the near misses where it said nothing of it.

These are no scenarios of a generated cluster: nothing in one scans its nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from eightysix.lab.generate.clock import SECOND
from eightysix.lab.generate.cluster import Image
from eightysix.lab.generate.ids import hex_id
from eightysix.lab.generate.programs import DROP, REDIS, STORAGE, boot_python, call, managed_identity, storage
from eightysix.lab.generate.scenarios.cast import SERVER, inference, start_server
from eightysix.lab.generate.scene import Process, Scene, Streams
from eightysix.lab.generate.sensor import Stack, file_identity
from eightysix.lab.generate.settings import Setting

__all__ = ["LEDGERED", "scanned_load", "unknown_load"]

MODEL = "/models/resnet/pytorch_model.bin"
OTHER = "/models/resnet/config.pkl"
LOADS = 1_500.0
SCANNED = 600.0
MONTH_S = 30 * 86_400
DAY = 86_400.0
_TORCH = Stack(("torch", *SERVER.frames), thread=7)
_GLOBALS = (("collections", "OrderedDict"), ("torch._utils", "_rebuild_tensor_v2"), ("torch", "FloatStorage"))
_SCHEMA = "eightysix/ledger/v1"


def scan(
    scene: Scene,
    path: str,
    verdict: str,
    *,
    host: str = "",
    later_ns: int = 0,
    at: float = SCANNED,
    lasts_s: int = MONTH_S,
) -> None:
    """A scan of the node reads the file; `later_ns` by how much the file was written later than the one that is loaded."""
    time_ns = scene.ns(at)
    digest = hex_id(64, "blake3", path, verdict)
    identity = file_identity(path)
    file: dict[str, object] = {**identity, "mtime_ns": int(str(identity["mtime_ns"])) + later_ns}
    seconds = time_ns // SECOND
    scene.note(
        "ledger.jsonl",
        time_ns,
        {
            "schema": _SCHEMA, "digest": digest, "size": file["size"], "verdict": verdict, "rules_version": "1",
            "at": seconds, "expires": seconds + lasts_s,
        },
    )  # fmt: skip
    told = {"schema": _SCHEMA, "host": host or scene.node().name, **file, "digest": digest, "at": seconds}
    scene.note("ledger.jsonl", time_ns, told)


def load(server: Process, at: float, *, runs: bool) -> None:
    """`torch.load` of the model; `runs` tells that its pickle asks for a function that runs code."""
    server.sense_open(at, MODEL, _TORCH)
    for step, (module, name) in enumerate(_GLOBALS):
        server.sense_pickle(at + 0.1 + step * 0.01, module, name, _TORCH, MODEL)
    if runs:
        server.sense_pickle(at + 0.2, "posix", "system", _TORCH, MODEL)


def _server(setting: Setting) -> tuple[Scene, Process]:
    scene = Scene(setting)
    server = scene.entrypoint(0.31, inference(scene), "/opt/venv/bin/python", "/app/server.py")
    start_server(server, 0.31)
    return scene, server


def scanned_load(
    setting: Setting,
    verdict: str = "malicious",
    *,
    runs: bool = True,
    host: str = "",
    later_ns: int = 0,
    lasts_s: int = MONTH_S,
) -> tuple[Streams, Streams]:
    """A server swaps its model for one that the scan of its node has read; then it refreshes its own token."""
    scene, server = _server(setting)
    scan(scene, MODEL, verdict, host=host, later_ns=later_ns, lasts_s=lasts_s)
    scan(scene, OTHER, "clean", host=host)
    load(server, LOADS, runs=runs)
    managed_identity(server, LOADS + 20.0, SERVER)
    storage(server, LOADS + 20.2, STORAGE, SERVER)
    return scene.streams(), {}


def _scorer(scene: Scene, started: float) -> Process:
    pod = scene.pod("scorer")
    container = scene.container(
        pod, Image("registry.example/ml/scorer:7", "7"), started=started, name="scorer"
    )
    server = scene.entrypoint(started + 0.3, container, "/opt/venv/bin/python", "/app/server.py")
    boot_python(server, started + 0.3, ["python", "/app/server.py"])
    call(server, started + 1.5, REDIS, Stack(SERVER.frames))
    return server


def unknown_load(setting: Setting, *, scanned: bool, runs: bool = True) -> tuple[Streams, Streams]:
    """A server loads a model, and some seconds later, when no loader stands on the stack any more, it connects to a place
    that it never knew. `scanned` tells that the scan of the node has cleared the model."""
    scene = Scene(setting)
    scan(scene, OTHER, "clean")
    if scanned:
        scan(scene, MODEL, "clean")
    server = _scorer(scene, 0.0)
    load(server, LOADS, runs=runs)
    call(server, LOADS + 30.0, DROP, SERVER, path="/v1/collect", method="POST")
    before = Scene(setting)
    _scorer(before, -DAY)
    return scene.streams(), before.streams()


_Writer = Callable[[Setting], tuple[Streams, Streams]]

LEDGERED: Mapping[str, _Writer] = {
    "scan-calls-malicious": scanned_load,
    "scan-knows-nothing": lambda setting: unknown_load(setting, scanned=False),
    "scan-cleared": lambda setting: unknown_load(setting, scanned=True),
    "scan-clean": lambda setting: scanned_load(setting, "clean", runs=False),
    "scan-of-another-file": lambda setting: scanned_load(setting, later_ns=1),
    "scan-of-another-node": lambda setting: scanned_load(setting, host="aks-gpu-31337-vmss000099"),
    "scan-expired": lambda setting: scanned_load(setting, lasts_s=600),
}
"""By name, what writes the streams, and those of the time before."""
