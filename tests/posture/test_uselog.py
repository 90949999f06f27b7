"""When identities were used, and how far back the logs reach: nobody is cleared by what is missing."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.detect.wording import rfc3339
from eightysix.model.posture import IdentityUse, NotSeen
from eightysix.posture.identities import Use
from eightysix.posture.snapshot import Cloud, CloudIdentity, ScaleSet
from eightysix.posture.usage import used_identities
from eightysix.posture.uselog import Feed, UseLog
from eightysix.sources.azure import AzureDecoder
from eightysix.sources.kubernetes_audit import KubernetesAuditDecoder
from tests.posture.written import world

DAY = 86_400_000_000_000
NOW = 1_795_510_800_000_000_000  # 2026-11-24T09:00:00Z
OBJECT, CLIENT = "22222222-2222-4222-8222-222222222222", "11111111-1111-4111-8111-111111111111"
TEXT = """
kind: Pod
metadata: {name: server, namespace: ml}
spec: {nodeName: aks0, serviceAccountName: app, containers: [{name: main, image: x}]}
---
kind: ServiceAccount
metadata: {name: app, namespace: ml}
"""
CLOUD = Cloud(
    identities=(CloudIdentity("idle", CLIENT, OBJECT, "/ids/idle"),),
    scale_sets=(ScaleSet("pool", "aks", ("/ids/idle",)),),
    given=True,
)


def audit(
    days: float, user: str = "system:kube-scheduler", verb: str = "list", **more: Any
) -> dict[str, Any]:
    name = more.pop("pod", "")
    extra = {"authentication.kubernetes.io/pod-name": [name]} if name else {}
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": f"a{days}",
        "stage": "ResponseComplete",
        "verb": verb,
        "requestURI": "/api/v1/pods",
        "user": {"username": user, "extra": extra},
        "sourceIPs": ["10.244.1.5"],
        "objectRef": {"resource": "pods", "namespace": "ml"},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": rfc3339(int(NOW - days * DAY)),
        **more,
    }


def sign_in(days: float, table: str = "AADManagedIdentitySignInLogs", **more: Any) -> dict[str, Any]:
    return {
        "TimeGenerated": rfc3339(int(NOW - days * DAY)),
        "Type": table,
        "ServicePrincipalId": "33333333-3333-4333-8333-333333333333",
        "AppId": "44444444-4444-4444-8444-444444444444",
        "ResultType": "0",
        **more,
    }


def logged(*records: dict[str, Any]) -> UseLog:
    log = UseLog()
    block = "".join(json.dumps(one) + "\n" for one in records).encode()
    batch = KubernetesAuditDecoder(on_request=log.on_request).decode(block, "f", 1)
    assert not batch.problems
    rest = b"".join(line + b"\n" for _, line in batch.leftover)
    batch = AzureDecoder().decode(rest, "f", 1)
    assert not batch.problems
    assert not batch.leftover
    log.take(batch.events)
    return log


def told(log: UseLog, cluster: str = "") -> tuple[dict[str, IdentityUse], tuple[NotSeen, ...]]:
    snapshot, templates = world(TEXT, CLOUD, taken_at=rfc3339(NOW), cluster=cluster)
    found, gaps = used_identities(snapshot, templates, log)
    return {one.name: one for one in found}, gaps


def month(*more: dict[str, Any]) -> UseLog:
    """Both logs, whole for 40 days, and more."""
    days = [day / 2 for day in range(81)]
    return logged(*(audit(day) for day in days), *(sign_in(day) for day in days), *more)


ACCOUNT = "system:serviceaccount:ml:app"


def test_logs_that_reach_back_tell_who_is_unused_and_since_when() -> None:
    found, gaps = told(month())
    for name in ("idle", "ml/app"):
        one = found[name]
        assert (one.unused, one.last_used, one.since) == (True, "", rfc3339(NOW - 40 * DAY))
        assert (one.pods, one.reached_by) == (1, ("pod:ml/server",))
    assert gaps == ()


def test_uses_are_told_with_who_and_from_where() -> None:
    log = month(
        audit(2, ACCOUNT, pod="server"),
        audit(1, ACCOUNT, sourceIPs=["20.1.2.3"]),
        audit(3, "jane", impersonatedUser={"username": ACCOUNT}),
        sign_in(5, ServicePrincipalId=OBJECT, AppId=CLIENT),
    )
    found, _ = told(log)
    account, idle = found["ml/app"], found["idle"]
    assert (account.unused, account.last_used) == (False, rfc3339(NOW - DAY))
    assert account.used_by == ("from 20.1.2.3", "jane in its name", "ml/server")
    # sign-ins of managed identities carry no address
    assert (idle.unused, idle.last_used, idle.used_by) == (False, rfc3339(NOW - 5 * DAY), ())


def test_a_service_that_names_only_the_object_id_is_joined_by_sign_ins() -> None:
    only = Cloud(identities=(CloudIdentity("idle", CLIENT, "", ""),), scale_sets=CLOUD.scale_sets, given=True)
    blob = {
        "TimeGenerated": rfc3339(NOW - DAY),
        "Type": "StorageBlobLogs",
        "OperationName": "GetBlob",
        "StatusCode": 200,
        "RequesterObjectId": OBJECT,
        "CallerIpAddress": "20.9.9.9:4711",
    }
    log = month(sign_in(39, ServicePrincipalId=OBJECT, AppId=CLIENT), blob)
    snapshot, templates = world(TEXT, only, taken_at=rfc3339(NOW))
    idle = {one.name: one for one in used_identities(snapshot, templates, log)[0]}["idle"]
    assert (idle.last_used, idle.used_by) == (rfc3339(NOW - DAY), ("from 20.9.9.9",))


def test_what_was_refused_or_minted_is_no_use() -> None:
    token = {"resource": "serviceaccounts", "subresource": "token", "namespace": "ml", "name": "app"}
    found, _ = told(
        month(
            audit(1, ACCOUNT, responseStatus={"code": 403}),
            audit(1.1, ACCOUNT, responseStatus={"code": 401}),
            audit(1.2, ACCOUNT, annotations={"authorization.k8s.io/decision": "forbid"}),
            audit(1.3, "system:node:aks0", "create", objectRef=token),
            audit(1.4, ACCOUNT, "create", objectRef=token),
            audit(1.5, "jane", impersonatedUser={"username": ACCOUNT}, responseStatus={"code": 403}),
            audit(
                1.6,
                "jane",
                "create",
                impersonatedUser={"username": ACCOUNT},
                objectRef={"resource": "selfsubjectaccessreviews"},
            ),
            sign_in(1, ServicePrincipalId=OBJECT, AppId=CLIENT, ResultType="Failed"),
        )
    )
    assert [found[name].unused for name in ("ml/app", "idle")] == [True, True]
    # what it asks for others is its own use
    other = {**token, "name": "other"}
    assert told(month(audit(1, ACCOUNT, "create", objectRef=other)))[0]["ml/app"].unused is False


def test_without_a_log_nobody_is_unused_and_the_setting_is_named() -> None:
    found, gaps = told(UseLog())
    assert {one.unused for one in found.values()} == {None}
    closes = " ".join(gap.close for gap in gaps)
    assert "ManagedIdentitySignInLogs" in closes
    assert "kube-audit" in closes
    assert "ServicePrincipal" not in closes


def test_an_audit_log_without_reads_clears_no_account() -> None:
    days = [day / 2 for day in range(81)]
    found, gaps = told(logged(*(audit(day, verb="create") for day in days), *(sign_in(day) for day in days)))
    assert (found["ml/app"].unused, found["idle"].unused) == (None, True)
    assert [gap.what for gap in gaps] == [str(Feed.AUDIT)]
    log = logged(*(audit(day, verb="create") for day in days), audit(1, ACCOUNT, "create", pod="server"))
    assert told(log)[0]["ml/app"].unused is False


def test_a_hole_hides_and_so_does_an_end_before_the_objects() -> None:
    days = [day / 2 for day in range(81) if not 8 < day / 2 < 11]
    log = logged(*(audit(day) for day in days), *(sign_in(day) for day in days))
    found, gaps = told(log)
    assert {one.unused for one in found.values()} == {None}
    assert found["idle"].since == rfc3339(NOW - 8 * DAY)
    assert all("nothing is there for more than" in gap.why for gap in gaps)
    days = [day / 2 for day in range(10, 91)]
    found, gaps = told(logged(*(audit(day) for day in days), *(sign_in(day) for day in days)))
    assert {one.unused for one in found.values()} == {None}
    assert all("end before the objects" in gap.why for gap in gaps)


def test_records_of_another_cluster_are_anothers() -> None:
    def wrapped(days: float, cluster: str, user: str) -> dict[str, Any]:
        return {
            "category": "kube-audit",
            "resourceId": f"/SUBSCRIPTIONS/S/PROVIDERS/X/MANAGEDCLUSTERS/{cluster}",
            "properties": {"log": json.dumps(audit(days, user))},
        }

    days = [day / 2 for day in range(81)]
    log = logged(
        *(wrapped(day, "AKS-A", "system:kube-scheduler") for day in days),
        *(sign_in(day) for day in days),
        wrapped(1, "AKS-B", ACCOUNT),
    )
    assert told(log, "aks-a")[0]["ml/app"].unused is True
    assert "audit records of aks-b" in {gap.what for gap in told(log, "aks-a")[1]}
    found, gaps = told(log)
    assert found["ml/app"].unused is None
    assert gaps[0].close == "say what the logs call it with --cluster"
    assert told(log, "elsewhere")[0]["ml/app"].unused is None


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(12)), st.lists(st.integers(0, 11), max_size=6))
def test_any_order_and_repetition_is_the_same(order: list[int], again: list[int]) -> None:
    records = [
        *(audit(day, ACCOUNT, pod=f"p{day % 3}") for day in range(6)),
        *(sign_in(day, ServicePrincipalId=OBJECT, AppId=CLIENT) for day in range(6)),
    ]
    assert told(logged(*(records[at] for at in [*order, *again]))) == told(logged(*records))


def test_hostile_names_are_data(monkeypatch: Any) -> None:
    log = logged(
        audit(1, "system:serviceaccount:"),
        audit(1, "system:serviceaccount:a:" + "b" * 5_000, pod="\x1b[31m" * 100),
        audit(1, "system:serviceaccount:ml:app", pod="x" * 10_000),
    )
    found, _ = told(log)
    assert all(len(by) <= 512 for one in found.values() for by in one.used_by)
    monkeypatch.setattr("eightysix.posture.uselog.MAX_IDENTITIES", 3)
    days = [day / 2 for day in range(81)]
    log = logged(*(audit(day) for day in days), *(audit(1, f"system:serviceaccount:x:{n}") for n in range(9)))
    assert log.full
    found, gaps = told(log)
    assert found["ml/app"].unused is None
    assert "a part of the logs" in {gap.what for gap in gaps}
    assert next(iter(log.uses(""))) == Use(
        ("system:serviceaccount:x:0",), rfc3339(NOW - DAY), caller="10.244.1.5"
    )
