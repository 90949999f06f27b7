"""Reports built by hand, for snapshots and properties; the breach is the recorded 86-second run."""

from __future__ import annotations

from msgspec.structs import replace

from eightysix.model.incident import (
    Counts,
    Coverage,
    Evidence,
    Identity,
    Incident,
    PodRef,
    Problem,
    Reason,
    Report,
    RuleCoverage,
    SourceCoverage,
    StageEntry,
)
from eightysix.model.words import Basis, Grade, IdentityState, Origin, Stage, Verdict

__all__ = [
    "HOSTILE",
    "breach",
    "breach_report",
    "broken_report",
    "crowd_report",
    "hostile_report",
    "quiet_report",
]

_FOLDER = "telemetry/attack-86s"
_T0 = "2026-11-23T03:38:54.947017Z"


def _seen(source: str, file: str, line: int) -> Evidence:
    return Evidence(source, f"{_FOLDER}/{file}", line)


def _kernel(line: int) -> Evidence:
    return _seen("tetragon", "tetragon.jsonl", line)


def _sensor(line: int) -> Evidence:
    return _seen("sensor", "sensor.jsonl", line)


def _audit(line: int) -> Evidence:
    return _seen("kubernetes-audit", "kubernetes-audit.jsonl", line)


_SERVER = "python (torch-perf-utils==1.4.3)"
_ACCOUNT = "system:serviceaccount:ml:inference-sa"


def _step(
    stage: Stage,
    at: str,
    offset_s: float,
    title: str,
    sure: tuple[Grade, Origin],
    evidence: tuple[Evidence, ...],
    signal: str,
    process: str = _SERVER,
    destination: str = "",
    identity: str = "",
) -> StageEntry:
    when = f"2026-11-23T03:{at}Z"
    return StageEntry(stage, when, offset_s, title, *sure, evidence, signal, process, destination, identity)


_STAGES = (
    _step(
        Stage.LAND,
        "38:54.947017",
        0.0,
        "package installed in the running container",
        (Grade.B, Origin.KERNEL),
        (_kernel(38),),
        "install",
        "pip install: torch-perf-utils==1.4.3",
    ),
    _step(
        Stage.RUN,
        "38:57.358893",
        2.412,
        "code that landed runs",
        (Grade.A, Origin.SUSPECT),
        (_sensor(70),),
        "landed_code_runs",
    ),
    _step(
        Stage.REACH,
        "39:34.175668",
        39.229,
        "first credential after the install",
        (Grade.B, Origin.KERNEL),
        (_sensor(71), _sensor(73), _kernel(62)),
        "first_credential",
        destination="169.254.169.254:80",
        identity="managed-identity of ml/inference-0 by metadata service",
    ),
    _step(
        Stage.PIVOT,
        "39:54.795259",
        59.848,
        "second credential domain by the same process",
        (Grade.B, Origin.KERNEL),
        (_sensor(74), _kernel(63)),
        "second_domain",
        destination="/var/run/secrets/kubernetes.io/serviceaccount/token",
        identity="service-account ml/inference-sa",
    ),
    _step(
        Stage.PIVOT,
        "39:54.801284",
        59.854,
        "secrets are listed",
        (Grade.C, Origin.CONTROL_PLANE),
        (_audit(1),),
        "secrets_listed",
        destination="list ml/secrets",
        identity=_ACCOUNT,
    ),
    _step(
        Stage.PIVOT,
        "40:04.106931",
        69.16,
        "a secret is read",
        (Grade.C, Origin.CONTROL_PLANE),
        (_audit(2),),
        "secret_read",
        destination="get ml/secrets/acr-push-sp",
        identity="secret ml/acr-push-sp",
    ),
    _step(
        Stage.LEAVE,
        "40:22.511137",
        87.564,
        "a destination that this container never contacted before",
        (Grade.B, Origin.KERNEL),
        (_sensor(82), _sensor(83), _kernel(68)),
        "new_destination",
        destination="203.0.113.10:80 (telemetry.perf-utils.example)",
    ),
)

_IDENTITIES = (
    Identity("managed-identity", "of ml/inference-0 by metadata service", IdentityState.TAKEN, "cloud"),
    Identity("secret", "ml/acr-push-sp", IdentityState.TAKEN, "delivery"),
    Identity("service-account", "ml/inference-sa", IdentityState.USED, "cluster"),
    Identity("environment", "AZURE_CLIENT_ID", IdentityState.EXPOSED),
)

_WHY = (
    Reason(40, "the code that takes the credential landed after the container started", Basis.JUDGED),
    Reason(30, "secrets are listed", Basis.JUDGED),
    Reason(25, "second credential domain by the same process", Basis.MEASURED),
    Reason(20, "this process was running before and never did this until something landed", Basis.MEASURED),
    Reason(10, "first credential after the install", Basis.JUDGED),
    Reason(10, "package installed in the running container", Basis.JUDGED),
    Reason(5, "a destination that this container never contacted before", Basis.JUDGED),
    Reason(0, "the metadata call at start came from azure-identity: not counted", Basis.MEASURED),
    Reason(-25, "the container's own process tree ran the installer", Basis.JUDGED),
)

_GAPS = (
    "novelty per workload is unknown: no baseline (eightysix baseline build)",
    "which identity the metadata service handed out: no sign-in logs were read",
)

_NEXT = (
    "isolate the pod (deny its egress and the metadata address), keep it running for evidence",
    "revoke the tokens of every identity marked taken or used, then rotate each secret that was read",
    "find the artifact in other pods and images, and pin or block it at the index",
    "search the control plane for what the taken identities did since T0",
)


def breach() -> Incident:
    """The chain of the recorded run, as the engine tells it with all telemetry."""
    return Incident(
        id="7d0c9a41e25f88b3",
        revision="01f3c2d4a5b69788",
        aliases=(),
        rule="poisoned-install",
        title="Install, then a second identity",
        verdict=Verdict.CONTAIN,
        score=115,
        pod=PodRef(
            "aks-ml-prod",
            "aks-gpu-31337-vmss000000",
            "ml",
            "inference-0",
            "86868686-0000-4000-8000-000000005310",
        ),
        workload="ml/inference",
        image="registry.example/ml/inference:prod@sha256:" + "5e" * 32,
        t0=_T0,
        stages=_STAGES,
        identities=_IDENTITIES,
        why=_WHY,
        gaps=_GAPS,
        next_steps=_NEXT,
    )


_SOURCES = (
    SourceCoverage(
        "tetragon",
        69,
        {"exec": 11, "exit": 12, "connect": 8, "file": 38},
        "2026-11-23T03:38:50.089578Z",
        "2026-11-23T03:40:23.257373Z",
    ),
    SourceCoverage(
        "sensor",
        81,
        {"import": 47, "connect": 7},
        "2026-11-23T03:38:50.229496Z",
        "2026-11-23T03:40:22.511091Z",
    ),
    SourceCoverage(
        "kubernetes-audit", 2, {"api": 2}, "2026-11-23T03:39:54.801284Z", "2026-11-23T03:40:04.106931Z"
    ),
)

_RULES = tuple(
    RuleCoverage(name, True)
    for name in ("credential-sweep", "poisoned-install", "release-drift", "startup-hook")
)


def breach_report() -> Report:
    """The 86-second breach and nothing else."""
    return Report(
        (breach(),),
        Coverage(_SOURCES, _RULES),
        Counts(records=154, events=152, duplicate=2),
        {"installs": 2, "metadata calls": 2},
    )


def quiet_report() -> Report:
    """A notebook rebuilding its environment: installs and tokens, and no chain."""
    return Report(
        (),
        Coverage(_SOURCES[:1], _RULES, baseline="b-2026-11-20"),
        Counts(records=69, events=69),
        {"installs": 1, "metadata calls": 12},
    )


def broken_report() -> Report:
    """Half of the input unusable, half of the rules blind: still one useful page, and no all-clear."""
    files = ("switch on file events in Tetragon: kubectl apply -f deploy/tetragon/files.yaml",)
    rules = (
        RuleCoverage("credential-sweep", True),
        RuleCoverage(
            "poisoned-install", False, ("files", "api-audit"), (*files, "export kube-audit to this tool")
        ),
        RuleCoverage("release-drift", False, ("baseline",), ("eightysix baseline build TELEMETRY",)),
        RuleCoverage("startup-hook", False, ("files",), files),
        RuleCoverage("startup-hook-new-digest", False, ("files",), files),
    )
    problems = (
        Problem(
            "/var/log/tetragon/export/tetragon-2026-11-23T03-00-00.000.log.gz",
            0,
            "unreadable",
            "CRC check failed",
        ),
        *(
            Problem("tetragon.jsonl", line, "malformed", "the record ends in the middle of a string")
            for line in range(7, 12)
        ),
        Problem("audit.jsonl", 4, "oversized", "the line is 2.1 MiB, the limit 1 MiB"),
        Problem("azure-activity.jsonl", 1, "unrecognised", "no source knows this record"),
    )
    return Report(
        (),
        Coverage(
            _SOURCES[:1],
            rules,
            unattributed=14,
            flooded=("ml/inference-0: more than 4096 signals, the earliest install is kept",),
            late=1,
            suppressed=("rebuild-notebooks: 3 incidents of rule poisoned-install in ml/notebook",),
            problems=problems,
        ),
        Counts(records=86, events=69, malformed=5, oversized=1, unrecognised=11),
        {"installs": 1},
    )


def crowd_report() -> Report:
    """A poisoned release in many pods, with some lesser chains beside it."""
    incidents = [
        replace(
            breach(),
            id=f"i-{number:012x}",
            score=115 - number,
            pod=PodRef("aks-ml-prod", f"aks-gpu-{number:05}", "ml", f"inference-{number}", ""),
        )
        for number in range(3)
    ]
    incidents += [
        replace(
            breach(),
            id=f"i-{number:012x}",
            rule="credential-sweep",
            title="Credential sweep by tainted code",
            verdict=Verdict.SUSPECT if number < 58 else Verdict.WATCH,
            score=60 - number // 2,
            pod=None
            if number == 40
            else PodRef("", "", "training", f"a-rather-long-job-name-for-a-pod-{number}", ""),
            t0=f"2026-11-23T{4 + number // 60:02}:{number % 60:02}:00.000000Z",
            stages=_STAGES[2:4],
            identities=_IDENTITIES[:2],
            why=_WHY[1:3],
            gaps=(),
            next_steps=_NEXT[:1],
        )
        for number in range(3, 64)
    ]
    incidents.append(replace(incidents[-1], id="i-silent", suppressed_by="rebuild-notebooks"))
    return Report(tuple(incidents), Coverage(_SOURCES, _RULES), Counts(9000, 9000), {"installs": 70})


HOSTILE = (
    "\x1b[2J\x1b[1;1Hall clear\r\n0 incidents\x07\x9b31m \u202egpj.exe\u2066 zero\u200bwidth\ufeff \u2028next "
    "\ud800 \U000e0041 e" + "\u0301" * 9 + " \u05d0\u05d1 漢字漢字 \U0001f600 \xa0 \ue000   wide"
)
"""A little of everything that a terminal should never get."""


def hostile_report() -> Report:
    """A chain whose every name was chosen to lie to the reader."""
    stages = tuple(
        replace(
            stage,
            title=HOSTILE,
            process="/opt/" + HOSTILE,
            destination="evil\x1b]8;;http://x\x07.example",
            identity="x\u202ey",
            evidence=(Evidence("tetragon", "logs/\x1b[8m/\u202etetragon.jsonl", 7),),
        )
        for stage in _STAGES[:3]
    )
    incident = replace(
        breach(),
        rule="poisoned\x1b-install",
        title=HOSTILE,
        pod=PodRef("\x00", "no\u200bde", "m\x7fl", "inference\n0", "\x1b"),
        workload="w\tw",
        image="registry.example/\u2029ml:" + "x" * 300,
        stages=stages,
        identities=(Identity("secret", HOSTILE, IdentityState.USED, "de\x08livery"),),
        why=(Reason(25, HOSTILE, Basis.MEASURED), Reason(-30, "A" * 2000, Basis.JUDGED)),
        gaps=(HOSTILE,),
        next_steps=(HOSTILE,),
    )
    return Report(
        (incident,),
        Coverage(
            _SOURCES[:1],
            (RuleCoverage("r\x1b", False, ("fi\nles",), (HOSTILE,)),),
            flooded=(HOSTILE,),
            suppressed=("\u202e",),
            problems=(Problem("a\x1b\nb.jsonl", 3, "malformed", HOSTILE),),
        ),
        Counts(records=3, events=2, malformed=1),
        {"inst\x1balls": 2},
    )
