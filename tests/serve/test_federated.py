"""Whose a federated sign-in was, end to end: the audit log tells which pod's token it is, the sign-in shows the token's id and
gives its own, the activity log carries that. Rows have the documented columns of Log Analytics."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest

from eightysix.model.story import Story, Use
from eightysix.model.words import Grade
from eightysix.reconstruct.selection import selection
from eightysix.rules.catalog import load_packaged
from eightysix.serve.reconstruction import Reconstructing
from eightysix.serve.replay import ReplayOptions

CLIENT = "11111111-1111-4111-8111-111111111111"
OBJECT = "22222222-2222-4222-8222-222222222222"
JTI = "6603a47b-10a2-52b5-bb91-c88a1a99c126"
OTHER_JTI = "0a03a47b-10a2-52b5-bb91-c88a1a99c126"
UTI = "AbCdEf0123456789ghIJkl"
FIC = "e41b6d1d-6c02-5ac7-b251-84f81c206af2"
NODE = "aks-gpu-31337-vmss000000"
AUDITS = itertools.count(1)


def minted(at: str, pod: str, jti: str = JTI, by: str = f"system:node:{NODE}", **more: Any) -> dict[str, Any]:
    """The kubelet has a token issued for a pod, as audit logs at level Request tell it."""
    uid = f"uid-{pod}"
    extra = {
        "authentication.kubernetes.io/pod-name": [by],
        "authentication.kubernetes.io/pod-uid": [f"uid-{by}"],
    }
    user = {"username": by} if by.startswith("system:") else {
        "username": "system:serviceaccount:ml:inference", "extra": extra
    }  # fmt: skip
    return {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Request",
        "auditID": f"00000000-0000-4000-8000-{next(AUDITS):012}", "stage": "ResponseComplete", "verb": "create",
        "requestURI": "/api/v1/namespaces/ml/serviceaccounts/inference/token", "user": user, "sourceIPs": ["10.224.0.4"],
        "objectRef": {
            "resource": "serviceaccounts", "namespace": "ml", "name": "inference", "subresource": "token",
            "apiVersion": "v1",
        },
        "responseStatus": {"code": 201}, "requestReceivedTimestamp": at, "stageTimestamp": at,
        "requestObject": {
            "spec": {
                "audiences": ["api://AzureADTokenExchange"],
                "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": pod, "uid": uid},
            }
        },
        "annotations": {
            "authorization.k8s.io/decision": "allow",
            "authentication.kubernetes.io/issued-credential-id": f"JTI={jti}",
        },
        **more,
    }  # fmt: skip


def started(at: str, pod: str) -> dict[str, Any]:
    """A pod of the service account is made."""
    return {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse",
        "auditID": f"00000000-0000-4000-8000-{next(AUDITS):012}", "stage": "ResponseComplete", "verb": "create",
        "requestURI": "/api/v1/namespaces/ml/pods", "user": {"username": "system:serviceaccount:kube-system:job"},
        "sourceIPs": ["10.0.0.7"], "objectRef": {"resource": "pods", "namespace": "ml", "name": pod, "apiVersion": "v1"},
        "responseStatus": {"code": 201}, "requestReceivedTimestamp": at, "stageTimestamp": at,
        "responseObject": {
            "kind": "Pod", "metadata": {"name": pod, "namespace": "ml", "uid": f"uid-{pod}"},
            "spec": {"serviceAccountName": "inference", "nodeName": NODE, "containers": []},
        },
    }  # fmt: skip


def sign_in(
    at: str, *, jti: str = JTI, uti: str = UTI, table: str = "AADManagedIdentitySignInLogs", **more: Any
) -> dict[str, Any]:
    """An identity signs in with a service account's token, from outside of the cluster."""
    told = {
        "msiType": "userAssigned",
        "federatedTokenId": jti,
        "federatedTokenIssuer": "https://oic.example/a/b/",
    }
    return {
        "TimeGenerated": at, "CreatedDateTime": at, "OperationName": "Sign-in activity", "ResultType": "0",
        "Category": table.removeprefix("AAD"), "AppId": CLIENT, "ServicePrincipalId": OBJECT, "IPAddress": "203.0.113.9",
        "FederatedCredentialId": FIC, "Id": "584748bd-366a-504a-bb20-f138e4a42780", "UniqueTokenIdentifier": uti,
        "ManagedServiceIdentity": json.dumps(told), "ResourceDisplayName": "Azure Storage", "Type": table, **more,
    }  # fmt: skip


def activity(at: str, uti: str = UTI, **more: Any) -> dict[str, Any]:
    """What was done with the token at Azure's control plane."""
    return {
        "TimeGenerated": at, "OperationNameValue": "MICROSOFT.STORAGE/STORAGEACCOUNTS/LISTKEYS/ACTION",
        "ActivityStatusValue": "Success", "CategoryValue": "Administrative", "Caller": OBJECT,
        "CallerIpAddress": "203.0.113.9", "CorrelationId": "2bc8b1dc-0054-566b-8834-0609ec45322b", "Type": "AzureActivity",
        "Claims": json.dumps({"appid": CLIENT, "uti": uti,
            "http://schemas.microsoft.com/identity/claims/objectidentifier": OBJECT}), **more,
    }  # fmt: skip


def day(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        started("2026-11-23T10:00:00.000000Z", "inference-0"),
        started("2026-11-23T10:00:01.000000Z", "inference-1"),
        minted("2026-11-23T10:50:00.000000Z", "inference-0"),
        minted("2026-11-23T10:50:01.000000Z", "inference-1", OTHER_JTI),
        *(rows or (sign_in("2026-11-23T10:53:40.0000000Z"), activity("2026-11-23T10:55:00.0000000Z"))),
    ]


def told_of(folder: Path, rows: list[dict[str, Any]]) -> Story:
    folder.mkdir(exist_ok=True)
    (folder / "day.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = Reconstructing(load_packaged(), ReplayOptions()).read(
        [str(folder)], None, selection(identity=CLIENT)
    )
    (story,) = told.stories
    assert not told.counts.malformed
    return story


def uses(story: Story) -> dict[str, Use]:
    return {use.service: use for identity in story.identities for use in identity.uses}


def pods(use: Use) -> list[str]:
    return [candidate.pod for candidate in use.attribution.candidates]


@pytest.mark.parametrize("table", ["AADManagedIdentitySignInLogs", "AADServicePrincipalSignInLogs"])
def test_the_id_of_the_pods_token_leads_to_what_was_done_with_it(tmp_path: Path, table: str) -> None:
    rows = day(sign_in("2026-11-23T10:53:40.0000000Z", table=table), activity("2026-11-23T10:55:00.0000000Z"))
    found = uses(told_of(tmp_path, rows))
    for service, key in (("sign-in", ""), ("activity", "uti+")):
        whose = found[service].attribution
        assert (pods(found[service]), whose.certain, whose.grade) == (["ml/inference-0"], True, Grade.C)
        assert whose.join_key == f"{key}federated-token-id+credential-id"


def test_any_order_and_repetition_tell_the_same(tmp_path: Path) -> None:
    rows = day()
    plain = told_of(tmp_path / "plain", rows)
    mixed = rows * 2
    random.Random(3).shuffle(mixed)
    again = told_of(tmp_path / "mixed", mixed)
    assert plain.revision == again.revision
    assert uses(plain).keys() == uses(again).keys()
    assert [u.attribution for u in uses(plain).values()] == [u.attribution for u in uses(again).values()]


@pytest.mark.parametrize(
    "managed",
    ["", "{}", "null", "[1]", "{", '{"federatedTokenId": 7}', '{"federatedTokenId": ""}', '{"federatedTokenId": null}',
     '{"federatedTokenId": "' + "x" * 5_000 + '"}', '{"federatedTokenId": "unknown"}'],
)  # fmt: skip
def test_without_the_tokens_id_all_that_run_as_the_account_stay_possible(
    tmp_path: Path, managed: str
) -> None:
    rows = day(
        sign_in("2026-11-23T10:53:40.0000000Z", ManagedServiceIdentity=managed),
        activity("2026-11-23T10:55:00.0000000Z"),
    )
    credential = {
        "id": FIC, "name": "f", "issuer": "https://oic.example/a/b/", "subject": "system:serviceaccount:ml:inference",
    }  # fmt: skip
    from eightysix.context.inventory import Inventory, read_inventory

    known = Inventory()
    read_inventory(known, json.dumps(credential).encode(), "i.json", 1)
    (tmp_path / "day.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = Reconstructing(load_packaged(), ReplayOptions(), known)
    (story,) = run.read([str(tmp_path / "day.jsonl")], None, selection(identity=CLIENT)).stories
    for use in uses(story).values():
        assert pods(use) == ["ml/inference-0", "ml/inference-1"]
        assert not use.attribution.certain


def test_ids_that_are_not_the_uses_own_join_nothing(tmp_path: Path) -> None:
    """A use whose token no sign-in issued, one whose token is another identity's, and one of a token issued later."""
    other = "33333333-3333-4333-8333-333333333333"
    strange = activity(
        "2026-11-23T10:56:00.0000000Z", uti="ZZZZZZ0123456789ghIJkl", CallerIpAddress="203.0.113.10"
    )
    foreign = sign_in("2026-11-23T10:53:00.0000000Z", AppId=other, ServicePrincipalId=other, jti=OTHER_JTI)
    found = told_of(tmp_path, day(foreign, strange, activity("2026-11-23T10:55:00.0000000Z")))
    (identity,) = found.identities
    assert [use.attribution.certain for use in identity.uses] == [False, False]
    assert not any(use.attribution.join_key.startswith("uti") for use in identity.uses)


def test_one_id_shown_by_two_pods_is_certain_of_none(tmp_path: Path) -> None:
    def asks(pod: str) -> dict[str, Any]:
        extra = {
            "authentication.kubernetes.io/credential-id": [f"JTI={JTI}"],
            "authentication.kubernetes.io/pod-name": [pod],
            "authentication.kubernetes.io/pod-uid": [f"uid-{pod}"],
        }
        row = started("2026-11-23T10:52:00.000000Z", "x")
        del row["responseObject"]
        return {
            **row,
            "verb": "list",
            "user": {"username": "system:serviceaccount:ml:inference", "extra": extra},
        }

    found = uses(told_of(tmp_path, [*day(), asks("inference-0"), asks("inference-1")]))
    assert pods(found["activity"]) == ["ml/inference-0", "ml/inference-1"]
    assert not found["sign-in"].attribution.certain
    assert not found["activity"].attribution.certain


def test_who_had_the_token_issued_for_itself_holds_it(tmp_path: Path) -> None:
    """A pod mints a token of its account, bound to another pod: it is the one that has it."""
    rows = [
        started("2026-11-23T10:00:00.000000Z", "inference-0"),
        started("2026-11-23T10:00:01.000000Z", "inference-1"),
        minted("2026-11-23T10:50:00.000000Z", "inference-0", by="inference-1"),
        sign_in("2026-11-23T10:53:40.0000000Z"),
        activity("2026-11-23T10:55:00.0000000Z"),
    ]
    found = uses(told_of(tmp_path, rows))
    assert pods(found["activity"])[0] == "ml/inference-1"
    assert "issued-credential-id" in found["activity"].attribution.join_key


def test_a_token_that_is_issued_after_the_sign_in_is_another_one(tmp_path: Path) -> None:
    late = [row for row in day() if "issued-credential-id" not in json.dumps(row)]
    late.append(minted("2026-11-23T11:30:00.000000Z", "inference-0", by="inference-1"))
    found = uses(told_of(tmp_path, late))
    assert not found["sign-in"].attribution.certain
    assert "issued" not in found["sign-in"].attribution.join_key


def test_the_word_of_the_pods_own_code_joins_no_token(tmp_path: Path) -> None:
    """The sensor's records are made inside of the pod: whatever ids they hold, whose a token is the API server tells."""
    forged = {
        "schema": "eightysix/sensor/v1", "kind": "api", "time": "2026-11-23T10:51:00.000000Z", "pod": "inference-1",
        "pod_uid": "uid-inference-1", "namespace": "ml", "credential_id": JTI, "issued_credential_id": JTI,
    }  # fmt: skip
    (tmp_path / "sensor").mkdir()
    (tmp_path / "sensor" / "s.jsonl").write_text(json.dumps(forged) + "\n")
    (tmp_path / "day.jsonl").write_text("".join(json.dumps(row) + "\n" for row in day()))
    told = Reconstructing(load_packaged(), ReplayOptions()).read(
        [str(tmp_path)], None, selection(identity=CLIENT)
    )
    (story,) = told.stories
    assert pods(uses(story)["activity"]) == ["ml/inference-0"]
