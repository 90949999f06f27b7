"""The nouns of the lab: scenarios, the pods that they run in, what a scenario's script may do, and what a run leaves.

A run is real: processes in a pod-like container, a metadata service that azure-identity accepts, an API server that writes
audit events, an index that pip installs from. What differs between machines is the tier. Nothing here has an effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from msgspec import Struct, field

from eightysix.lab.world import POD_IP, SERVER_IMAGE, SERVER_PORT

__all__ = [
    "FOLDER",
    "TELEMETRY",
    "Answer",
    "Bounds",
    "Done",
    "Label",
    "PodSpec",
    "Scenario",
    "Stage",
    "Subset",
    "Tier",
    "Wheel",
]

TELEMETRY = (
    "tetragon.jsonl",
    "sensor.jsonl",
    "kubernetes-audit.jsonl",
    "managed-identity-sign-ins.jsonl",
    "service-principal-sign-ins.jsonl",
    "azure-activity.jsonl",
    "registry.jsonl",
)
"""Files of telemetry in the folder `telemetry` of a finished run. Beside that folder lie `truth.jsonl` (what really
happened, by those that did it), `label.json` (a `Label`), `run.json` (tier, tools and their versions, times of the steps)
and `logs/`."""


FOLDER = "telemetry"
"""Where the telemetry of a finished run lies, alone: `eightysix detect RUN/telemetry` reads nothing else."""


class Tier(StrEnum):
    """What a machine can run. `docs/lab.md` tells what each one proves."""

    ROOT = "root"
    """An OCI runtime (crun or runc), overlay, own network namespaces, cgroup of its own, eBPF or tracefs."""
    ROOTLESS = "rootless"
    """User, mount, pid and network namespaces of an ordinary user; a venv in place of an image; strace where present."""
    REPLAY = "replay"
    """The recorded run, written out again."""


class Subset(StrEnum):
    """Which telemetry a cluster has switched on: a recorded run is judged with each."""

    ALL = "all"
    KERNEL_AUDIT = "kernel-audit"
    SENSOR_AUDIT = "sensor-audit"
    KERNEL = "kernel"
    SENSOR = "sensor"


class Bounds(Struct, frozen=True):
    """What detection may say with one subset: `none`, `watch`, `suspect`, `contain`. `why` is told wherever an attack
    may stay below `suspect` (decision 7), and names what cannot be told apart."""

    at_least: str
    at_most: str
    why: str = ""


class Label(Struct, frozen=True, omit_defaults=True):
    """Ground truth of a scenario: what `label.json` holds.

    `stages` and `identities` are those of the whole story. `telling` is the one fact that separates it from `twin`. Where
    `before` names a mark of `truth.jsonl`, what was recorded until it first happened is the baseline that the verdicts of
    `subsets` are with: what the workload did in the time before.
    """

    scenario: str
    malicious: bool
    verdict: str
    how: str
    stages: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()
    twin: str = ""
    telling: str = ""
    before: str = ""
    subsets: Mapping[Subset, Bounds] = {}


class Wheel(Struct, frozen=True):
    """A package of the lab's own index. `files` are paths inside of the wheel with their text; dist-info is added."""

    name: str
    version: str
    files: Mapping[str, str]
    requires: tuple[str, ...] = ()


_LABELS = {"app": "inference", "azure.workload.identity/use": "true"}
"""The second one asks AKS's workload identity webhook for a federated token (azure.github.io/azure-workload-identity)."""


class PodSpec(Struct, frozen=True):
    """A pod that the lab runs. `venv` names a set of `lab.pods.venvs`; `files` are written into the container before it
    starts (absolute paths, text); `argv` runs in `/app`."""

    name: str
    venv: str = "serving"
    argv: tuple[str, ...] = ("python", "/app/server.py")
    env: Mapping[str, str] = {}
    files: Mapping[str, str] = {}
    namespace: str = "ml"
    workload: str = "inference"
    workload_kind: str = "StatefulSet"
    container: str = "server"
    image: str = SERVER_IMAGE
    image_digest: str = "sha256:" + "5e" * 32
    service_account: str = "inference-sa"
    labels: Mapping[str, str] = field(default_factory=lambda: dict(_LABELS))
    sensor: bool = True
    metadata: bool = True
    """Whether the metadata service can be reached; where not, the connection is refused as by a network policy."""
    ip: str = POD_IP
    port: int = SERVER_PORT


class Done(Struct, frozen=True):
    """What a command in a pod came to: exit code, and the last 64 KiB of both outputs together."""

    code: int
    output: str


class Answer(Struct, frozen=True):
    """What the pod's server said."""

    status: int
    body: bytes


class Stage(Protocol):
    """What the script of a scenario may do: it acts as people, kubelet and clients act on a pod, never as the attacker.

    The attacker is code in the pod (`lab.scenarios.payloads`), which acts by itself once it is loaded.
    """

    def start(self, pod: PodSpec) -> None:
        """Start a pod and wait until its server answers (where it has one) for at most 60 s."""

    def restart(self, pod: PodSpec) -> None:
        """End the pod of this name and start `pod` in its place, under a new uid: a rollout."""

    def exec(self, *argv: str, pod: str = "", check: bool = True, timeout_s: float = 90.0) -> Done:
        """Run a command in a pod as an operator does with `kubectl exec`: the API server audits it, the runtime starts it.
        With `check` another code than 0 ends the run as failed."""

    def probe(self, *argv: str, pod: str = "", timeout_s: float = 30.0) -> Done:
        """Run a command in a pod as the kubelet runs an exec probe: nothing is audited."""

    def call(self, path: str, *, body: bytes = b"", pod: str = "", timeout_s: float = 60.0) -> Answer:
        """Ask the pod's server over HTTP from outside of the pod: GET, POST with a body."""

    def publish(self, *wheels: Wheel) -> None:
        """Put packages on the index."""

    def push(self, repository: str, tag: str, content: bytes, *, by: str) -> str:
        """Push an artifact to the registry as the principal `by`, and return its manifest's digest."""

    def wait(self, mark: str, *, count: int = 1, timeout_s: float = 30.0) -> None:
        """Wait until `truth.jsonl` has `count` records with this `mark`; marks are listed in `lab.services.truth`.
        Ends the run as failed when they do not come."""

    def sleep(self, seconds: float) -> None:
        """Let real time pass."""

    def leap(self, seconds: float) -> None:
        """Let the injected clock jump: everything recorded from now on is that much later. Nothing waits."""

    def path(self) -> Path:
        """The folder of the run."""


class Scenario(Struct, frozen=True):
    """Something that happens in a pod: an attack or its look-alike. One module in `lab.scenarios` each.

    `slow` ones take longer than 20 s of real time; `needs` names what a machine may lack (`torch`).
    """

    name: str
    title: str
    label: Label
    play: Callable[[Stage], None]
    needs: tuple[str, ...] = ()
    slow: bool = False
    tiers: tuple[Tier, ...] = (Tier.ROOT, Tier.ROOTLESS)
