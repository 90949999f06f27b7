"""What the kernel's and the API server's records tell of nodes, other pods and addresses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eightysix.context.addresses import Learnt
from eightysix.lab.generate.scenarios.attack_beyond import host_pod_body
from eightysix.model.event import Event
from eightysix.model.words import Domain, Kind, Outcome
from eightysix.sources.kubernetes_audit import KubernetesAuditDecoder
from eightysix.sources.tetragon import TetragonDecoder

POD = {"namespace": "ml", "name": "a-0", "uid": "11111111-1111-4111-8111-111111111111"}
UID = "6b00ba4a-094e-4b05-836e-75487007b2eb"
FOLDER = f"/host/var/lib/kubelet/pods/{UID}/volumes"
CLIENT = "00001111-aaaa-2222-bbbb-3333cccc4444"


def kernel(record: dict[str, Any]) -> list[Event]:
    text = json.dumps({**record, "node_name": "n", "time": "2026-11-24T09:00:01Z"}, separators=(",", ":"))
    batch = TetragonDecoder({}, {}).decode(text.encode() + b"\n", "t.jsonl", 1)
    assert batch.problems == []
    return batch.events


def process(binary: str = "/usr/bin/python3", arguments: str = "", **fields: Any) -> dict[str, Any]:
    told = {"exec_id": "bjoxOjE=", "pid": 7, "binary": binary, "arguments": arguments, "pod": POD}
    return {**told, "start_time": "2026-11-24T09:00:00Z", **fields}


def starts(binary: str, arguments: str = "", **fields: Any) -> list[Event]:
    return kernel({"process_exec": {"process": process(binary, arguments, **fields)}})


HOST, OWN = {"inum": 1, "is_host": True}, {"inum": 4026532900}


@pytest.mark.parametrize(
    ("binary", "arguments", "fields"),
    [
        ("/usr/bin/nsenter", "-t 1 -m -u -i -n -p -- /bin/sh", {}),
        ("/usr/bin/nsenter", "--mount=/host/proc/1/ns/mnt -- ls", {}),
        ("/usr/sbin/chroot", "/host /bin/bash", {}),
        ("/proc/1/root/usr/bin/crictl", "ps", {}),
        ("/bin/sh", "-s", {"ns": {"mnt": HOST, "pid": HOST, "net": OWN}}),
        ("/usr/bin/anything", "", {"ns": {"mnt": HOST}}),
    ],
)
def test_programs_that_enter_the_node(binary: str, arguments: str, fields: dict[str, Any]) -> None:
    (event,) = starts(binary, arguments, **fields)
    assert (event.kind, event.activity) == (Kind.EXEC, "host-entry")


@pytest.mark.parametrize(
    ("binary", "arguments", "fields"),
    [
        ("/usr/bin/nsenter", "--help", {}),
        ("/usr/sbin/chroot", "--version", {}),
        ("/bin/sh", "-s", {"ns": {"mnt": OWN, "pid": HOST, "net": HOST}}),
        ("/bin/sh", "-s", {"ns": {"mnt": HOST}, "pod": None}),
        ("/usr/bin/anything", "/proc/1/root", {}),
    ],
    ids=["help", "version", "node's pids and network", "no pod", "an argument"],
)
def test_programs_that_do_not(binary: str, arguments: str, fields: dict[str, Any]) -> None:
    assert all(event.activity != "host-entry" for event in starts(binary, arguments, **fields))


@pytest.mark.parametrize("function", ["__x64_sys_setns", "sys_setns"])
@pytest.mark.parametrize(("returned", "outcome"), [(0, Outcome.ALLOWED), (-1, Outcome.DENIED)])
def test_a_probe_on_setns(function: str, returned: int, outcome: Outcome) -> None:
    probe = {"process": process(), "function_name": function, "args": [{"int_arg": 5}, {"int_arg": 131072}]}
    (event,) = kernel({"process_kprobe": {**probe, "return": {"int_arg": returned}}})
    assert (event.activity, event.outcome) == ("host-entry", outcome)


@pytest.mark.parametrize(
    ("path", "domain"),
    [
        (f"{FOLDER}/kubernetes.io~projected/kube-api-access-x/..2026_11_24_06.1/token", Domain.CLUSTER),
        (f"{FOLDER}/kubernetes.io~secret/registry/..2026_11_24_06.1/password", Domain.DELIVERY),
        (f"{FOLDER}/kubernetes.io~projected/kube-api-access-x/..2026_11_24_06.1/ca.crt", None),
        (f"{FOLDER}/kubernetes.io~empty-dir/cache/data", None),
    ],
)
def test_credentials_in_the_kubelets_folder(path: str, domain: Domain | None) -> None:
    args = [{"file_arg": {"path": path}}, {"int_arg": 4}]
    probe = {"process": process(), "function_name": "security_file_permission", "args": args}
    found = kernel({"process_kprobe": probe})
    assert [event.domain for event in found] == ([domain] if domain is not None else [])


def test_the_address_that_a_pod_connects_from() -> None:
    socket = {"saddr": "10.244.3.7", "daddr": "169.254.169.254", "dport": 80, "protocol": "IPPROTO_TCP"}
    probe = {"process": process(), "function_name": "tcp_connect", "args": [{"sock_arg": socket}]}
    (event,) = kernel({"process_kprobe": probe})
    assert (event.dst_ip, event.source_ip) == ("169.254.169.254", "10.244.3.7")


def audit(user: str, verb: str, resource: str, **fields: Any) -> dict[str, Any]:
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": f"{user}{verb}{resource}",
        "stage": "ResponseComplete",
        "requestURI": "/x",
        "verb": verb,
        "user": {"username": user},
        "sourceIPs": fields.pop("ips", ["10.224.0.7"]),
        "objectRef": {"resource": resource, "namespace": "ml", "name": "a-0", **fields.pop("ref", {})},
        "responseStatus": {"code": fields.pop("code", 200)},
        "requestReceivedTimestamp": "2026-11-24T09:00:00.000000Z",
        **fields,
    }


def learnt(*records: dict[str, Any]) -> tuple[Learnt, list[Event]]:
    found = Learnt()
    text = "\n".join(map(json.dumps, records)).encode()
    batch = KubernetesAuditDecoder(found).decode(text, "a.jsonl", 1)
    assert batch.problems == []
    return found, batch.events


def test_nodes_are_where_their_kubelets_call_from() -> None:
    found, events = learnt(
        audit("system:node:n1", "update", "leases"),
        audit(
            "system:node:n1", "get", "nodes", ips=["192.0.2.9", "203.0.113.5"]
        ),  # the client chooses all but the last
        audit("system:node:n2", "get", "nodes", code=401, ips=["198.51.100.86"]),
        audit("system:serviceaccount:ml:sa", "get", "nodes", ips=["198.51.100.86"]),
    )
    assert found.nodes == {"n1": {"10.224.0.7", "203.0.113.5"}}
    assert len(events) == 1


@pytest.mark.parametrize("as_text", [False, True])
def test_pods_are_where_their_status_says(as_text: bool) -> None:
    body: Any = {
        "metadata": {"uid": UID},
        "status": {
            "podIP": "10.244.3.7",
            "podIPs": [{"ip": "10.244.3.7"}, {"ip": "fd00:10:244::7"}],
            "hostIP": "10.224.0.7",
            "message": "x",
        },
    }
    row = audit("system:node:n1", "patch", "pods", ref={"subresource": "status"}, ips=["203.0.113.5"])
    found, _ = learnt({**row, "requestObject": json.dumps(body) if as_text else body})
    assert found.pods == {UID: {"10.244.3.7", "fd00:10:244::7"}}
    assert found.nodes == {"n1": {"203.0.113.5", "10.224.0.7"}}


def test_nobody_else_says_where_a_pod_is() -> None:
    body = {"metadata": {"uid": UID}, "status": {"podIP": "198.51.100.86"}}
    row = audit(
        "system:serviceaccount:ml:sa", "patch", "pods", ref={"subresource": "status"}, requestObject=body
    )
    found, _ = learnt(row)
    assert (found.pods, found.nodes) == ({}, {})


def test_the_identity_that_a_service_account_is_annotated_with() -> None:
    body = {
        "metadata": {"annotations": {"azure.workload.identity/client-id": CLIENT.upper(), "other": {"x": 1}}}
    }
    row = audit("mira@contoso.example", "create", "serviceaccounts", ref={"name": "sa"}, requestObject=body)
    found, _ = learnt(row, audit("mira@contoso.example", "get", "serviceaccounts", requestObject=body))
    assert found.principals == {"ml/sa": {CLIENT}}


@pytest.mark.parametrize(
    ("resource", "wrap"),
    [
        ("pods", lambda spec: spec),
        ("daemonsets", lambda spec: {"template": {"spec": spec}}),
        ("cronjobs", lambda spec: {"jobTemplate": {"spec": {"template": {"spec": spec}}}}),
    ],
)
def test_what_of_the_node_a_new_pod_asks_for(resource: str, wrap: Any) -> None:
    spec = host_pod_body("node-setup-a", "n1")["spec"]
    row = audit("system:serviceaccount:ml:sa", "create", resource, requestObject={"spec": wrap(spec)})
    _, (event,) = learnt(row)
    assert event.host == ("host-path", "host-pid", "privileged")


def test_the_name_that_the_server_gave() -> None:
    row = audit(
        "system:serviceaccount:ml:sa", "create", "pods", responseObject={"metadata": {"name": "a-x2k9p"}}
    )
    del row["objectRef"]["name"]
    _, (event,) = learnt(row)
    assert event.object_name == "a-x2k9p"


@pytest.mark.parametrize(
    "body", ["not json", 7, [], {"spec": 7}, {"spec": {"volumes": {}}}, {"status": []}, None]
)
def test_a_body_that_cannot_be_read_costs_nothing_else(body: object) -> None:
    row = audit("system:serviceaccount:ml:sa", "create", "pods", requestObject=body)
    _, (event,) = learnt(row)
    assert (event.object_name, event.host) == ("a-0", ())


def test_a_new_token_tells_the_pod_that_it_is_bound_to_and_nothing_of_itself() -> None:
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "inference-0", "uid": "uid-0"}
    body = {"spec": {"audiences": ["a"], "boundObjectRef": bound}, "status": {"token": "CANARY"}}
    ref = {"name": "inference-sa", "subresource": "token"}
    row = audit("system:node:n", "create", "serviceaccounts", ref=ref, responseObject=body)
    row["annotations"] = {"authentication.kubernetes.io/issued-credential-id": "JTI=jti-1"}
    found, events = learnt(row)
    assert found.tokens == {"jti-1": ("uid-0",)}
    assert "CANARY" not in repr((vars(found), events))
    refused, _ = learnt({**row, "responseStatus": {"code": 403}})
    assert refused.tokens == {}


def test_a_new_pod_tells_what_it_runs_as() -> None:
    made = {"metadata": {"name": "a-x2x4z", "uid": "uid-1"}, "spec": {"serviceAccountName": "inference-sa"}}
    row = audit("system:serviceaccount:kube-system:rs", "create", "pods", responseObject=made)
    found, _ = learnt(row)
    assert found.accounts == {"uid-1": {"ml/inference-sa"}}
    other = Learnt()
    other.add(found.facts())
    assert other.accounts == found.accounts
