"""The closed sets of the field: stages, verdicts, grades, origins, domains, sources and kinds of event."""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "Access",
    "Basis",
    "Domain",
    "Grade",
    "IdentityState",
    "Kind",
    "Origin",
    "Outcome",
    "Source",
    "Stage",
    "Verdict",
]


class Source(StrEnum):
    """Where a record was read."""

    TETRAGON = "tetragon"
    KUBERNETES_AUDIT = "kubernetes-audit"
    SENSOR = "sensor"
    FALCO = "falco"
    DNS = "dns"
    AZURE = "azure"
    LEDGER = "ledger"
    GATE = "gate"


class Origin(StrEnum):
    """Who could have written the evidence. `SUSPECT` may raise a score or explain, never lower or contain alone."""

    KERNEL = "kernel"
    CONTROL_PLANE = "control-plane"
    PROVIDER = "provider"
    SUSPECT = "suspect"


class Grade(StrEnum):
    """How surely the evidence belongs to this pod, from `A` (in-process, with pod) to `F` (an address)."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"
    F = "F"


class Stage(StrEnum):
    """The part of the story that a signal tells; a chain need not have all."""

    LAND = "land"
    RUN = "run"
    REACH = "reach"
    PIVOT = "pivot"
    LEAVE = "leave"
    USE = "use"


class Verdict(StrEnum):
    """What a chain amounts to."""

    WATCH = "watch"
    SUSPECT = "suspect"
    CONTAIN = "contain"

    @property
    def rank(self) -> int:
        """Order of severity, from 1."""
        return _VERDICT_RANK[self]


_VERDICT_RANK: dict[str, int] = {"watch": 1, "suspect": 2, "contain": 3}


class Domain(StrEnum):
    """Credential domain: what a stolen credential opens."""

    CLUSTER = "cluster"
    DELIVERY = "delivery"
    CLOUD = "cloud"
    LLM = "llm"


class Kind(StrEnum):
    """What happened."""

    EXEC = "exec"  # a process replaced its image (kernel)
    CONNECT = "connect"  # an outgoing connection was attempted
    FILE = "file"  # a file was opened, read or written
    LOAD = "load"  # a native library was mapped
    IMPORT = "import"  # a Python module was imported
    RESOLVE = "resolve"  # a host name was looked up
    HTTP = "http"  # an HTTP request was made, with its path
    API = "api"  # a request to the Kubernetes API server
    START = "start"  # a Python interpreter started (sensor)
    SPAWN = "spawn"  # a Python program started a child (sensor)
    PICKLE = "pickle"  # unpickling looked up a global (sensor)
    CLOUD = "cloud"  # a principal was seen at a cloud service or signed in (provider)
    REVIVE = "revive"  # a serialised object of LangChain was revived (sensor)
    SCAN = "scan"  # a scan came to a verdict about bytes, or found them in a file (ledger)
    GATE = "gate"  # a tag moved, or a digest was held or let pass (gate)


class Access(StrEnum):
    """How a file was touched."""

    READ = "read"
    WRITE = "write"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """Whether the attempt succeeded, where the source says so."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNKNOWN = "unknown"


class IdentityState(StrEnum):
    """What became of an identity in an incident, weakest first: `exposed`, `taken`, `used`."""

    EXPOSED = "exposed"
    TAKEN = "taken"
    USED = "used"


class Basis(StrEnum):
    """Where a number of points comes from."""

    MEASURED = "measured"
    JUDGED = "judged"
