"""Identities and their life: unused and reachable first, and nothing said that records do not tell."""

from __future__ import annotations

from typing import Any

from eightysix.model.posture import IdentityUse
from eightysix.posture.identities import Use, identities
from eightysix.posture.snapshot import Cloud, CloudIdentity, RoleAssignment, ScaleSet
from tests.posture.written import world

NOW = "2026-07-01T00:00:00Z"
LONG_AGO = "2026-01-01T00:00:00Z"
USED = CloudIdentity("used", "c-used", "p-used", "/ids/used")
IDLE = CloudIdentity("idle", "c-idle", "p-idle", "/ids/idle")
FAR = CloudIdentity("far", "c-far", "p-far", "/ids/far")
CLOUD = Cloud(
    identities=(FAR, USED, IDLE),
    scale_sets=(ScaleSet("pool", "aks", ("/ids/used", "/ids/idle")),),
    assignments=(RoleAssignment("p-idle", "Owner", "/subscriptions/s"),),
    given=True,
)
TEXT = """
kind: Pod
metadata: {name: server, namespace: ml}
spec: {nodeName: aks0, serviceAccountName: app, containers: [{name: main, image: x}]}
---
kind: ServiceAccount
metadata: {name: app, namespace: ml}
---
kind: ServiceAccount
metadata: {name: nobody, namespace: ml}
---
kind: RoleBinding
metadata: {name: b, namespace: ml}
roleRef: {kind: ClusterRole, name: edit}
subjects: [{kind: ServiceAccount, name: nobody, namespace: ml}]
"""


def lives(*uses: Use, cloud: Cloud | None = CLOUD, text: str = TEXT, **more: Any) -> dict[str, IdentityUse]:
    snapshot, templates = world(text, cloud, taken_at=NOW)
    return {one.name: one for one in identities(snapshot, templates, uses, **more)}


def test_unused_and_reachable_come_first() -> None:
    use = Use(("P-USED",), "2026-06-30T10:00:00Z", "ml/server")
    found = lives(use, cloud_since=LONG_AGO, cluster_since=LONG_AGO)
    assert list(found) == ["idle", "ml/app", "ml/nobody", "far", "used"]
    idle, used, far = found["idle"], found["used"], found["far"]
    assert (idle.unused, idle.pods, idle.roles) == (True, 1, ("Owner at /subscriptions/s",))
    assert (used.unused, used.pods, used.last_used, used.used_by) == (False, 1, use.time, ("ml/server",))
    assert (far.unused, far.pods) == (True, 0)
    assert (found["ml/nobody"].roles, found["ml/nobody"].pods) == (("ClusterRole/edit in ml",), 0)


def test_what_was_refused_is_no_use() -> None:
    ids = ("system:serviceaccount:ml:app",)
    found = lives(Use(ids, "2026-06-30T10:00:00Z", denied=True), cluster_since=LONG_AGO)
    assert found["ml/app"].unused is True
    found = lives(Use(ids, "2026-06-30T10:00:00Z"), cluster_since=LONG_AGO)
    assert found["ml/app"].unused is False


def test_without_records_that_reach_back_nobody_says_unused() -> None:
    assert lives()["idle"].unused is None
    assert lives(cloud_since="2026-06-20T00:00:00Z")["idle"].unused is None
    assert lives(cloud_since="2026-06-20T00:00:00Z", days=7)["idle"].unused is True
    assert lives(cluster_since=LONG_AGO)["idle"].unused is None  # the audit log tells nothing of sign-ins
    assert lives(cloud_since="hostile")["idle"].unused is None


def test_an_old_use_is_told_and_is_none() -> None:
    found = lives(Use(("c-idle",), "2026-02-01T00:00:00Z"), cloud_since=LONG_AGO)["idle"]
    assert (found.unused, found.last_used) == (True, "2026-02-01T00:00:00Z")


def test_any_order_of_uses_is_the_same() -> None:
    uses = [Use(("/ids/used",), f"2026-06-{day:02}T00:00:00Z", f"ml/p{day}") for day in range(1, 29)]
    assert lives(*uses) == lives(*reversed(uses))
    assert lives(*uses)["used"].last_used == "2026-06-28T00:00:00Z"
    assert lives(Use(("c-used",), "not a time"))["used"].last_used == ""


def test_an_identity_that_only_an_annotation_names_is_told() -> None:
    text = TEXT.replace(
        "{name: app, namespace: ml}",
        "{name: app, namespace: ml, annotations: {azure.workload.identity/client-id: c-else}}",
    ).replace(
        "{name: server, namespace: ml}",
        "{name: server, namespace: ml, labels: {azure.workload.identity/use: 'true'}}",
    )
    found = lives(cloud=None, text=text)["c-else"]
    assert (found.kind, found.pods, found.unused) == ("unlisted", 1, None)


def test_names_and_ids_may_be_anything() -> None:
    hostile = CloudIdentity("\x1b[31m\n'--", "A" * 5000, "", "")
    found = lives(Use(("", "system:serviceaccount:", "\x00"), NOW), cloud=Cloud(identities=(hostile,)))
    assert hostile.name in found


def test_who_reaches_an_identity_is_told_by_name() -> None:
    found = lives()
    assert found["ml/app"].reached_by == found["used"].reached_by == ("pod:ml/server",)
    assert found["ml/nobody"].reached_by == found["far"].reached_by == ()
