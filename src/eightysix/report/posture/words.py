"""Words for what a posture tells: sinks, pods, counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from eightysix.model.posture import PodReach, Posture

__all__ = ["plural", "reached", "sink_word", "summary", "workload"]

_SINKS: Mapping[str, str] = {
    "cluster-admin": "cluster-admin",
    "ns-admin": "all of namespace",
    "node": "root on a node",
    "sub-owner": "owner of the subscription",
    "acr-write": "writing images",
    "model-store-write": "writing models",
    "kv-secrets": "key vault secrets",
    "data-read": "reading data",
    "registry-read": "reading images",
    "llm-spend": "spending on models",
}


def plural(count: int, noun: str) -> str:
    """`3 pods`, `1 pod`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def workload(pod: PodReach) -> str:
    """What people call it."""
    return f"{pod.namespace}/{pod.name}"


def sink_word(sink: str) -> str:
    """A sink in words, of a family without its member."""
    family, _, member = sink.removeprefix("sink:").partition("/")
    told = _SINKS.get(family, family)
    return f"{told} {member}" if family == "ns-admin" and member not in ("", "*") else told


def reached(sinks: Sequence[str]) -> str:
    """Sinks by the names that `posture why` takes, the worst first as they came; of a family of several how many."""
    families = Counter(sink.removeprefix("sink:").partition("/")[0] for sink in sinks)
    members = {sink.removeprefix("sink:").partition("/")[0]: sink.removeprefix("sink:") for sink in sinks}
    told = []
    for family, count in families.items():
        several = sum(1 for sink in sinks if sink.startswith(f"sink:{family}/"))
        if several > 1:
            told.append(f"{family} of {several}")
        else:
            told.append(members[family] if count == several else family)
    return ", ".join(told)


def summary(posture: Posture) -> list[str]:
    """What was looked at, and how many pods reach how much."""
    found = [
        plural(sum(max(pod.pods, 1) for pod in posture.pods), "pod"),
        plural(len(posture.pods), "workload"),
        plural(len(posture.identities), "identity").replace("identitys", "identities"),
        plural(len(posture.edges), "edge"),
    ]
    if posture.rules != "default":
        found.append(f"rules of {posture.rules}")
    return found
