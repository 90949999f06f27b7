"""What nobody could see in a story, each with what would close it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from eightysix.model.incident import Incident, RuleCoverage
from eightysix.model.story import Gap, IdentityStory
from eightysix.model.words import IdentityState, Source, Stage
from eightysix.reconstruct.identities import SIGNED_IN

__all__ = ["gaps_of"]

_WHICH = "which identity the metadata service"
"""How the gap begins that a story closes itself, by a sign-in."""

_CLOSES: tuple[tuple[str, str, str], ...] = (
    ("run: ", "run", "the in-process sensor (docs/sensor.md)"),
    ("novelty per workload", "", "eightysix baseline build over telemetry of a time that you trust"),
    (
        "what the service account did",
        "pivot",
        "the cluster's diagnostic setting kube-audit (docs/coverage.md)",
    ),
    ("what the kernel saw", "", "Tetragon with the policies of deploy/tetragon, or Falco"),
    ("which metadata path", "reach", "the in-process sensor (docs/sensor.md)"),
    (
        _WHICH,
        "reach",
        "sign-in logs of managed identities, and --identity NAMESPACE/SERVICEACCOUNT=ID",
    ),
    ("where the token was used from", "use", "--egress with the addresses that the cluster leaves by"),
    (
        "where the cloud identity was used",
        "use",
        "--egress with the addresses that the cluster leaves by",
    ),
    ("who is behind", "leave", "answers of the cluster's resolver (CoreDNS log, or Defender's DNS table)"),
)
"""How a gap of an incident begins, the stage that it is about, and what closes it."""


_CLOUD_LOGS = {
    "activity": "the activity log",
    "key-vault": "Key Vault",
    "storage": "storage",
    "registry": "registries",
}
"""Logs that tell what an identity did, beside its sign-ins."""


def gaps_of(
    incidents: Sequence[Incident],
    sources: frozenset[Source],
    rules: Iterable[RuleCoverage],
    identities: Sequence[IdentityStory],
    *,
    full: bool,
    searched: int = 0,
    also: Iterable[Gap] = (),
    cloud: Container[str] = (),
) -> tuple[Gap, ...]:
    """All gaps, each once, those of the earliest stages first; `also` are known from elsewhere, `cloud` what
    is known of the cloud by the kinds of its logs."""
    found = {_gap(text) for incident in incidents for text in incident.gaps}
    managed = [identity for identity in identities if identity.kind == "managed-identity"]
    if managed and all(identity.why == SIGNED_IN for identity in managed):
        found = {gap for gap in found if not gap.text.startswith(_WHICH)}
    if Source.AZURE not in sources:
        found.add(
            Gap(
                "use",
                "what identities did in the cloud: no cloud log was read",
                "diagnostic settings for sign-ins, activity, Key Vault, storage and registries (docs/coverage.md)",
            )
        )
    silent = [words for kind, words in _CLOUD_LOGS.items() if kind not in cloud]
    if Source.AZURE in sources and silent and any(i.domain == "cloud" for i in identities):
        found.add(
            Gap(
                "use",
                f"what identities did in the cloud: nothing of {', '.join(silent)} is among what was read",
                "diagnostic settings for each of them (docs/coverage.md)",
            )
        )
    if Source.KUBERNETES_AUDIT not in sources:
        found.add(
            Gap(
                "pivot",
                "what identities did at the API server: no Kubernetes audit log was read",
                "the cluster's diagnostic setting kube-audit (docs/coverage.md)",
            )
        )
    if Source.SENSOR not in sources:
        found.add(
            Gap(
                "run",
                "which code acted: code that runs inside a process is invisible to the kernel",
                "the in-process sensor (docs/sensor.md)",
            )
        )
    if not sources & {Source.TETRAGON, Source.FALCO}:
        found.add(
            Gap(
                "",
                "what the kernel saw: neither a Tetragon export nor Falco's alerts were read",
                "Tetragon with the policies of deploy/tetragon, or Falco",
            )
        )
    if not incidents:
        found |= {
            Gap("", f"rule {rule.rule} could not be judged: {', '.join(rule.missing)} missing", way)
            for rule in rules
            if not rule.evaluable
            for way in rule.switch_on[:1]
        }
    for identity in identities:
        if identity.state is not IdentityState.EXPOSED and identity.domain == "cloud" and not identity.uses:
            found.add(
                Gap(
                    "use",
                    f"no use of {identity.kind} {identity.name} was recorded after it was taken:"
                    " logs arrive late and not all operations are logged, so this clears nobody",
                )
            )
    if any(
        use.foreign is None and use.source_ip and use.service not in ("kubernetes", "sign-in")
        for identity in identities
        for use in identity.uses
    ):
        found.add(
            Gap(
                "use",
                "where the cloud identity was used from: no egress is declared (--egress) for such an address",
                "--egress with the addresses that the cluster leaves by",
            )
        )
    if searched:
        found.add(
            Gap(
                "",
                f"{searched} files of other nodes were searched for what landed, and not read: of identities that nodes share,"
                " fewer uses are certain",
                "--read-all",
            )
        )
    if full:
        found.add(
            Gap("use", "more different uses of identities than are kept: some are missing from this story")
        )
    return tuple(sorted({*_once(found), *also}, key=lambda gap: (_rank(gap.stage), gap.text)))


def _gap(text: str) -> Gap:
    for start, stage, close in _CLOSES:
        if text.startswith(start):
            return Gap(stage, text, close)
    return Gap("", text)


def _once(gaps: set[Gap]) -> list[Gap]:
    """Of gaps that an incident and the story both tell, one."""
    heads = {gap.text.partition(":")[0]: gap for gap in sorted(gaps)}
    return list(heads.values())


_STAGES = tuple(str(stage) for stage in Stage)


def _rank(stage: str) -> int:
    return _STAGES.index(stage) if stage in _STAGES else len(_STAGES)
