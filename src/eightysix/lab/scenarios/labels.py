"""What detection may say of a scenario with each subset of telemetry, as decision 7 of the design has it.

`contain` asks for a landing in the container, credentials of two domains taken by one process after it, and a use of the API
or a destination new to the workload. What only the suspect wrote never contains alone (decision 3). From the kernel alone
nobody can tell which package of a process acts, so there an attack may stay below `suspect`, and says why.
"""

from __future__ import annotations

from collections.abc import Mapping

from eightysix.lab.interface import Bounds, Label, Subset

__all__ = [
    "IDENTITIES",
    "MANAGED_IDENTITY",
    "ONE_PROCESS",
    "SECRET",
    "SERVICE_ACCOUNT",
    "STAGES",
    "attack",
    "look_alike",
]

MANAGED_IDENTITY = "managed identity 11111111-1111-4111-8111-111111111111 by metadata service"
SERVICE_ACCOUNT = "service account ml/inference-sa"
SECRET = "registry push service principal in secret ml/acr-push-sp"
IDENTITIES = (MANAGED_IDENTITY, SERVICE_ACCOUNT, SECRET)
STAGES = ("land", "run", "reach", "pivot", "leave")

ONE_PROCESS = (
    "the kernel sees a server that installs a package and later makes connections, as a notebook does: which code of the "
    "process makes them is not seen, nor is what it asks of the API server"
)
"""Why the kernel alone may stay below `suspect` where the theft runs in a process that took credentials before."""

_THEFT: Mapping[Subset, Bounds] = {
    Subset.ALL: Bounds("contain", "contain"),
    Subset.KERNEL_AUDIT: Bounds("suspect", "contain"),
    Subset.SENSOR_AUDIT: Bounds("suspect", "contain"),
    Subset.KERNEL: Bounds("none", "contain", ONE_PROCESS),
    Subset.SENSOR: Bounds("suspect", "suspect"),
}


def attack(
    scenario: str,
    how: str,
    *,
    twin: str,
    telling: str,
    stages: tuple[str, ...] = STAGES,
    identities: tuple[str, ...] = IDENTITIES,
    verdict: str = "contain",
    before: str = "",
    **subsets: Bounds,
) -> Label:
    """The label of an attack; `subsets` are those whose bounds differ from the usual theft's, by their names with `_`."""
    bounds = {**_THEFT, **{Subset(name.replace("_", "-")): bound for name, bound in subsets.items()}}
    return Label(
        scenario=scenario,
        malicious=True,
        verdict=verdict,
        how=how,
        stages=stages,
        identities=identities,
        twin=twin,
        telling=telling,
        before=before,
        subsets=bounds,
    )


def look_alike(scenario: str, how: str, *, telling: str, twin: str = "", before: str = "") -> Label:
    """The label of something benign: below `suspect` whatever the telemetry."""
    return Label(
        scenario=scenario,
        malicious=False,
        verdict="none",
        how=how,
        twin=twin,
        telling=telling,
        before=before,
        subsets=dict.fromkeys(Subset, Bounds("none", "watch")),
    )
