"""What the services write is what the readers of telemetry read: everything, with whom it is about."""

from __future__ import annotations

from urllib.parse import urlencode

from eightysix.lab.services.directory import PUSHER
from eightysix.lab.world import (
    ARM_HOST,
    LOGIN_HOST,
    OBJECT_ID,
    PUSH_CLIENT_ID,
    PUSH_SECRET,
    SUBSCRIPTION,
    TENANT,
)
from eightysix.model.words import Outcome
from eightysix.sources.azure import AzureDecoder
from eightysix.sources.interface import Batch
from eightysix.sources.kubernetes_audit import KubernetesAuditDecoder
from tests.lab.services.world import ARM, LOCAL, UID, World


def _azure(world: World, file: str) -> Batch:
    batch = AzureDecoder().decode((world.out / file).read_bytes(), file, 1)
    assert batch.problems == []
    assert batch.leftover == []
    assert len(batch.events) == batch.records > 0
    return batch


def test_rows_become_events_of_their_principals(world: World) -> None:
    token = world.token()
    form = {"grant_type": "client_credentials", "client_id": PUSH_CLIENT_ID, "client_secret": PUSH_SECRET}
    body = urlencode({**form, "scope": f"{ARM}/.default"}).encode()
    world.call("arm", "POST", f"/{TENANT}/oauth2/v2.0/token", body, host=LOGIN_HOST)
    keys = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-ml/providers/Microsoft.Storage/storageAccounts/mlmodels/listKeys"
    path = f"{keys}?api-version=2023-05-01"
    world.call("arm", "POST", path, b"", host=ARM_HOST, Authorization=f"Bearer {token}")
    world.ask("push", repository="models/a", tag="b", content_b64="AA==", by="acr-push-sp")

    managed = _azure(world, "managed-identity-sign-ins.jsonl").events[-1]
    assert (managed.identity, managed.source_ip) == (OBJECT_ID, "")
    assert managed.credential_id == world.marks("metadata-token")[-1]["uti"]
    first = _azure(world, "service-principal-sign-ins.jsonl").events[0]
    assert (first.identity, first.source_ip, first.outcome) == (
        PUSHER.object_id,
        "127.0.0.1",
        Outcome.ALLOWED,
    )
    activity = _azure(world, "azure-activity.jsonl").events
    assert {event.credential_id for event in activity} == {managed.credential_id}
    assert activity[-1].verb == "MICROSOFT.STORAGE/STORAGEACCOUNTS/LISTKEYS/ACTION"
    assert activity[-1].object_name == "mlmodels"
    login, pushed = _azure(world, "registry.jsonl").events
    assert (login.verb, pushed.verb, pushed.identity) == ("Login", "Push", PUSHER.object_id)
    assert pushed.source_ip == "198.51.100.20"


def test_audit_events_become_events_of_the_pod(world: World) -> None:
    told = world.start_pod(LOCAL)
    path = "/api/v1/namespaces/ml/secrets/acr-push-sp"
    world.call("api_server", "GET", path, Authorization=f"Bearer {told['token']}")
    file = "kubernetes-audit.jsonl"
    batch = KubernetesAuditDecoder().decode((world.out / file).read_bytes(), file, 1)
    assert batch.problems == []
    assert batch.leftover == []
    event = batch.events[-1]
    assert (event.verb, event.resource, event.object_name) == ("get", "secrets", "acr-push-sp")
    assert event.identity == "system:serviceaccount:ml:inference-sa"
    assert (event.pod, event.pod_uid) == ("inference-0", UID)
    world.ask("delete-pod", pod="inference-0")
