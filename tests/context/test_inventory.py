"""Who was who in a cluster, from snapshots of any age and from telemetry alone."""

from __future__ import annotations

import json
import random
from pathlib import Path

import msgspec
import pytest

from eightysix.context.addresses import Learnt
from eightysix.context.inventory import AFTER_NS, Inventory, read_inventory
from eightysix.model.words import Grade, Kind, Origin, Outcome, Source
from eightysix.serve.inventory import load_inventory
from tests.context.objects import MI, NODE, SCALE_SET, account, at, node, pod, read, scale_set
from tests.detect.events import BASE_NS, SECOND, event, metadata


def inventory_of(*objects: object, collected: str = "") -> Inventory:
    inventory = Inventory()
    assert not read(inventory, *objects, collected=collected).problems
    return inventory


def test_a_pod_is_told_with_its_workload_containers_and_times() -> None:
    replica_set = {
        "kind": "ReplicaSet",
        "metadata": {
            "name": "inference-7d9f",
            "namespace": "ml",
            "uid": "rs-1",
            "ownerReferences": [
                {"kind": "Deployment", "name": "inference", "uid": "d-1", "controller": True}
            ],
        },
    }
    made = pod(
        "inference-7d9f-x2x4z",
        "uid-1",
        owner=("ReplicaSet", "inference-7d9f", "rs-1"),
        labels={"azure.workload.identity/use": "true"},
    )
    found = inventory_of(made, replica_set).pod("uid-1")
    assert found is not None
    assert (found.workload_kind, found.workload) == ("Deployment", "inference")
    assert found.service_account == "ml/inference-sa"
    assert (found.workload_identity, found.host_network) == (True, False)
    assert [c.digest for c in found.containers] == ["sha256:5e5e"]
    assert (found.start_ns, found.started, found.end_ns) == (at("10:00:00"), True, AFTER_NS)


def test_without_its_replica_set_a_pod_is_still_of_its_deployment() -> None:
    made = pod("a-7d9f-x", "u", owner=("ReplicaSet", "a-7d9f", "rs"), labels={"pod-template-hash": "7d9f"})
    found = inventory_of(made).pod("u")
    assert found is not None
    assert (found.workload_kind, found.workload) == ("Deployment", "a")


def test_an_address_goes_from_one_pod_to_the_next() -> None:
    first = pod("a", "uid-a", created="10:00:00", finished="11:00:00", phase="Succeeded")
    second = pod("b", "uid-b", created="12:00:00")
    inventory = inventory_of(first, second)

    def holders(clock: str) -> list[tuple[str, bool]]:
        return [(holder.pod.uid, holder.certain) for holder in inventory.at_address("10.244.1.5", at(clock))]

    assert holders("09:59:00") == []
    assert holders("10:30:00") == [("uid-a", True)]
    assert holders("11:30:00") == []
    assert holders("12:30:00") == [("uid-b", True)]


def test_an_address_between_two_sightings_may_be_of_either_pod() -> None:
    """Nobody told when the first one ended: both stay."""
    inventory = Inventory()
    for uid, name, time in (("uid-a", "a", 0), ("uid-b", "b", 600)):
        seen = metadata(time, pod=name, pod_uid=uid, source_ip="10.244.1.5")
        inventory.observe(seen)

    def holders(second: int) -> list[str]:
        return [h.pod.uid for h in inventory.at_address("10.244.1.5", BASE_NS + second * SECOND)]

    assert holders(0) == ["uid-a"]
    assert holders(300) == ["uid-a", "uid-b"]
    assert holders(700) == ["uid-b"]


def test_pods_in_the_network_of_a_node_share_its_address() -> None:
    inventory = inventory_of(
        pod("agent", "uid-h", ip="10.224.0.4", host_network=True), pod("other", "uid-o"), node()
    )
    assert [(h.pod.uid, h.certain) for h in inventory.at_address("10.224.0.4", at("10:30:00"))] == [
        ("uid-h", False)
    ]
    assert inventory.nodes_with("10.224.0.4") == (NODE,)


def test_a_name_is_free_for_the_next_pod_when_the_one_before_is_gone() -> None:
    inventory = inventory_of(
        pod("inference-0", "uid-1", created="10:00:00"), pod("inference-0", "uid-2", created="11:00:00")
    )
    assert [p.uid for p in inventory.named("ml", "inference-0", at("10:30:00"))] == ["uid-1"]
    assert [p.uid for p in inventory.named("ml", "inference-0", at("11:30:00"))] == ["uid-2"]
    assert [p.uid for p in inventory.running_as("ml/inference-sa", at("11:30:00"))] == ["uid-2"]


def test_a_pod_that_is_deleted_runs_on_for_its_time_of_grace() -> None:
    inventory = inventory_of(pod("a", "u", deleted="11:00:30"), collected="11:00:10")
    assert inventory.named("ml", "a", at("11:00:31"))
    assert not inventory.named("ml", "a", at("11:00:40"))


def test_annotations_of_a_service_account_are_told_as_they_were() -> None:
    before, after = account("sa", "AAAA", version=10), account("sa", "BBBB", version=20, changed="12:00:00")
    inventory = Inventory()
    read(inventory, after, collected="13:00:00")
    read(inventory, before, collected="11:00:00")
    assert inventory.ids_of("ml/sa", at("10:00:00")) == {"aaaa"}
    assert inventory.ids_of("ml/sa", at("11:30:00")) == {"aaaa"}  # changed at 12
    assert inventory.ids_of("ml/sa", at("12:30:00")) == {"bbbb"}
    assert inventory.accounts_of(["BBBB"], at("12:30:00")) == ("ml/sa",)
    assert inventory.accounts_of(["BBBB"], at("10:30:00")) == ()


def test_where_nothing_is_told_of_times_every_version_stays_possible() -> None:
    inventory = inventory_of(account("sa", "aaaa", version=10), account("sa", "bbbb", version=20))
    assert inventory.ids_of("ml/sa", at("12:00:00")) == {"aaaa", "bbbb"}


def test_identities_of_other_clouds_are_told_too() -> None:
    role = "arn:aws:iam::123456789012:role/Reader"
    notes = {
        "eks.amazonaws.com/role-arn": role,
        "iam.gke.io/gcp-service-account": "x@p.iam.gserviceaccount.com",
    }
    inventory = inventory_of(account("sa", annotations=notes))
    assert inventory.ids_of("ml/sa", 0) == {role, "x@p.iam.gserviceaccount.com"}
    assert inventory.accounts_of([role], 0) == ("ml/sa",)


def test_an_identity_is_had_on_the_machines_that_it_is_assigned_to() -> None:
    other = "aks-cpu-1-vmss000001"
    inventory = inventory_of(
        node(),
        node(other, f"azure://{SCALE_SET.replace('gpu-31337', 'cpu-1')}/virtualMachines/1"),
        scale_set(),
    )
    pool = inventory.pool_of([MI["client"].upper()])
    assert pool.told
    assert inventory.is_of(NODE, pool)
    assert not inventory.is_of(other, pool)
    assert inventory.is_of("aks-gpu-31337-vmss00000z", pool)  # by its name alone
    assert not inventory.is_of("aks-cpu-9-vmss000000", pool)
    assert inventory.is_of("worker-7", pool)  # nothing is known of it
    assert not inventory.pool_of(["somebody"]).told
    assert inventory.same([MI["object"]]) >= {MI["client"], MI["object"]}


def test_the_kubelets_identity_is_on_all_machines_of_the_cluster() -> None:
    cluster = {
        "id": "/subscriptions/s1/resourcegroups/rg/providers/Microsoft.ContainerService/managedClusters/aks",
        "name": "aks",
        "type": "Microsoft.ContainerService/ManagedClusters",
        "nodeResourceGroup": "MC_rg_aks_we",
        "identityProfile": {"kubeletidentity": {"clientId": "c", "objectId": "o", "resourceId": "/r"}},
        "oidcIssuerProfile": {"enabled": True, "issuerUrl": "https://issuer.example/1/"},
        "addonProfiles": {"omsagent": {"identity": {"clientId": "c2", "objectId": "o2"}}, "x": None},
    }
    inventory = inventory_of(cluster, node())
    assert inventory.is_of(NODE, inventory.pool_of(["o"]))
    assert inventory.is_of(NODE, inventory.pool_of(["c2"]))
    assert inventory.pool_of(["o"]).told
    assert inventory.cluster_of("https://issuer.example/1") == "aks"


def test_federated_credentials_name_service_accounts() -> None:
    identity = (
        "/subscriptions/s/resourcegroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mi"
    )
    credential = {
        "id": f"{identity}/federatedIdentityCredentials/ml",
        "name": "ml",
        "issuer": "https://issuer.example/1/",
        "subject": "system:serviceaccount:ml:inference-sa",
        "audiences": ["api://AzureADTokenExchange"],
        "type": "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
    }
    whose = {
        "id": identity,
        "clientId": MI["client"],
        "principalId": MI["object"],
        "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
    }
    app = {
        "id": "729AB02A-EDD5-4EF5-A285-2D91A3C772AB",
        "issuer": "i",
        "subject": "repo:x/y:ref",
        "name": "ci",
    }
    inventory = Inventory()
    taken = read(inventory, [credential, whose], {"value": [app]})
    assert not taken.problems
    assert not taken.unknown
    assert [f.service_account for f in inventory.federations(str(credential["id"]))] == ["ml/inference-sa"]
    assert [f.service_account for f in inventory.federations_of([MI["object"]])] == ["ml/inference-sa"]
    assert inventory.accounts_of([MI["client"]], 0) == ("ml/inference-sa",)
    assert [f.service_account for f in inventory.federations(app["id"].lower())] == [""]


def test_pod_identity_binds_by_label() -> None:
    identity = {
        "kind": "AzureIdentity",
        "metadata": {"name": "mi", "namespace": "ml"},
        "spec": {
            "clientID": MI["client"].upper(),
            "resourceID": "/R",
            "clientPassword": {"name": "CANARY-ref"},
        },
    }
    binding = {
        "kind": "AzureIdentityBinding",
        "metadata": {"name": "b", "namespace": "ml"},
        "spec": {"azureIdentity": "mi", "selector": "gpu"},
    }
    inventory = inventory_of(
        identity, binding, pod("a", "u-a", labels={"aadpodidbinding": "gpu"}), pod("b", "u-b")
    )
    assert [p.uid for p in inventory.bound_to([MI["client"]], at("10:30:00"))] == ["u-a"]


def test_nothing_of_a_secret_but_that_it_was_there_gets_in() -> None:
    """Canaries in every place where manifests hold secrets."""
    last = json.dumps({"kind": "Secret", "data": {"k": "CANARY-last"}})
    secret = {
        "kind": "Secret",
        "apiVersion": "v1",
        "type": "Opaque",
        "metadata": {
            "name": "acr-push-sp",
            "namespace": "ml",
            "uid": "s",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": last},
        },
        "data": {"password": "CANARY-data"},
        "stringData": {"password": "CANARY-string"},
        "immutable": True,
    }
    config = {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"k": "CANARY-config"}}
    listed = {"kind": "List", "items": [secret, config, pod("a", "u")]}
    inventory = Inventory()
    taken = read(inventory, secret, {"kind": "SecretList", "items": [secret]}, listed)
    taken_twice = read(inventory, {"kind": "Secret", "metadata": 7, "data": {"k": "CANARY-wrong"}})
    assert taken.kinds == {"Secret": 3, "ConfigMap": 1, "Pod": 1}
    held = [repr(vars(inventory.facts)), repr(inventory.pods()), repr(taken), repr(taken_twice)]
    assert not [text for text in held if "CANARY" in text]
    assert taken_twice.malformed == 1


def _whole(inventory: Inventory) -> bytes:
    """Everything that is answered, for comparing."""
    answers = [
        [msgspec.structs.asdict(one) for one in inventory.pods()],
        [msgspec.structs.asdict(one) for _, one in sorted(inventory.nodes().items())],
        [
            [[h.pod.key, h.certain] for h in inventory.at_address("10.244.1.5", at(f"{hour}:30:00"))]
            for hour in range(10, 20)
        ],
        [sorted(inventory.ids_of("ml/inference-sa", at(f"{hour}:30:00"))) for hour in range(10, 20)],
        sorted(inventory.same([MI["client"]])),
    ]
    return msgspec.json.encode(answers, enc_hook=str)


@pytest.mark.parametrize("seed", range(12))
def test_order_and_repetition_of_snapshots_do_not_matter(seed: int) -> None:
    snapshots = [
        ([pod("inference-0", "uid-1"), account("inference-sa", "aaaa", version=10)], "10:30:00"),
        ([pod("inference-0", "uid-1", deleted="11:00:00", version=150)], "10:59:50"),
        ([pod("inference-0", "uid-2", created="11:00:10", version=160)], "12:00:00"),
        ([account("inference-sa", "bbbb", version=30, changed="13:00:00"), node()], ""),
        ([scale_set(), pod("other", "uid-3", created="14:00:00", version=300)], "15:00:00"),
    ]
    events = [
        metadata(
            number, pod=f"inference-{number % 2}", pod_uid=f"e-{number % 3}", source_ip=f"10.244.1.{number}"
        )
        for number in range(8)
    ]

    def whole(order: list[int], told: list[int]) -> bytes:
        inventory = Inventory()
        for number in order:
            objects, collected = snapshots[number]
            read(inventory, *objects, collected=collected)
        for number in told:
            inventory.observe(events[number])
        return _whole(inventory)

    plain = whole(list(range(5)), list(range(8)))
    random_ = random.Random(seed)
    order, told = list(range(5)) * 2, list(range(8)) * 2
    random_.shuffle(order)
    random_.shuffle(told)
    assert whole(order, told) == plain


@pytest.mark.parametrize(
    "data",
    [
        b'{"kind":"Pod","metadata":{"uid":"u"',
        b'{"kind":"Pod","metadata":{"uid":7}}',
        b'{"kind":"Pod","metadata":{"uid":"u","name":"n","creationTimestamp":"yesterday","resourceVersion":"-1"}}',
        b'{"kind":"List","items":[7,"x",null,{"kind":"Pod","metadata":[]},[]]}',
        b'{"items":' + b'[{"items":' * 40 + b"[]" + b"}]" * 40 + b"}",
        b"[" * 5000,
        b'{"a":' * 100_000,
        b"\xff\xfe{}",
        b'{"kind":"Node","metadata":{"name":""}}',
        b'{"id":7,"type":"Microsoft.Compute/virtualMachineScaleSets"}',
        b'{"value":{"x":1}}',
        b'{"type":"Microsoft.ContainerService/ManagedClusters","identityProfile":{"k":null},"id":"/"}',
        b'{"kind":"Pod","metadata":{"uid":"u","name":"n"},"status":{"podIP":"::ffff:1.2.3.4%x\xf0\x9f\x98\x80"}}',
        b"not json at all",
    ],
)
def test_hostile_records_cost_themselves_alone(data: bytes) -> None:
    good = json.dumps(pod("a", "good")).encode()
    inventory = Inventory()
    read_inventory(inventory, data + b"\n" + good)
    assert inventory.pod("good") is not None
    assert _whole(inventory)


def test_lists_over_several_lines_arrays_and_lines_are_read_from_files(tmp_path: Path) -> None:
    (tmp_path / "pods.json").write_text(
        json.dumps(
            {"apiVersion": "v1", "kind": "List", "items": [pod("a", "u-a"), pod("b", "u-b")]}, indent=4
        )
    )
    (tmp_path / "more.jsonl").write_text(json.dumps(pod("c", "u-c")) + "\n{broken\n" + json.dumps(node()))
    (tmp_path / "vmss.json").write_text(json.dumps([scale_set()], indent=2))
    inventory = Inventory()
    taken = load_inventory(inventory, [str(tmp_path)])
    assert taken.kinds == {"Pod": 3, "Node": 1, "Microsoft.Compute/virtualMachineScaleSets": 1}
    assert taken.malformed == 1
    assert [p.uid for p in inventory.pods()] == ["u-a", "u-b", "u-c"]


def test_telemetry_alone_makes_an_inventory() -> None:
    inventory = Inventory()
    inventory.observe(metadata(5, source_ip="10.244.1.5"))
    inventory.observe(
        event(
            Kind.API,
            6,
            source=Source.KUBERNETES_AUDIT,
            origin=Origin.CONTROL_PLANE,
            grade=Grade.C,
            service_account="ml/inference-sa",
            container_id="",
            workload="",
            workload_kind="",
        )
    )
    learnt = Learnt()
    learnt.note_node("n", ["10.224.0.4"])
    learnt.note_pod("uid-0", ["10.244.1.6"])
    learnt.note_principal("ml/inference-sa", MI["client"])
    inventory.learn(learnt)
    (found,) = inventory.running_as("ml/inference-sa", BASE_NS + 10 * SECOND)
    assert (found.uid, found.node, found.workload, found.started) == ("uid-0", "n", "inference", False)
    assert inventory.accounts_of([MI["client"]], 0) == ("ml/inference-sa",)
    assert inventory.nodes_with("10.224.0.4") == ("n",)
    assert [h.pod.uid for h in inventory.at_address("10.244.1.6", BASE_NS)] == ["uid-0"]
    assert inventory.of_container("c9eb4ebb9cee") == found


def test_a_pod_that_only_its_creation_tells_of_is_known_by_name() -> None:
    create = event(
        Kind.API,
        0,
        source=Source.KUBERNETES_AUDIT,
        origin=Origin.CONTROL_PLANE,
        verb="create",
        resource="pods",
        object_namespace="ml",
        object_name="node-tuner",
        outcome=Outcome.ALLOWED,
        pod="",
        pod_uid="",
    )
    inventory = Inventory()
    inventory.observe(create)
    (found,) = inventory.named("ml", "node-tuner", BASE_NS + SECOND)
    assert (found.uid, found.started) == ("", True)
    assert not inventory.named("ml", "node-tuner", BASE_NS - 5 * SECOND)
    assert inventory.of_no_account("ml", BASE_NS, BASE_NS + SECOND) == (found,)
    inventory.observe(metadata(3, pod="node-tuner", pod_uid="uid-9"))
    assert [p.uid for p in inventory.named("ml", "node-tuner", BASE_NS + 3 * SECOND)] == ["uid-9"]


def test_what_the_pod_says_of_itself_is_not_believed_over_the_kernel() -> None:
    inventory = Inventory()
    inventory.observe(event(Kind.START, 0, source=Source.SENSOR, origin=Origin.SUSPECT, node="liar"))
    inventory.observe(metadata(1))
    found = inventory.pod("uid-0")
    assert found is not None
    assert found.node == "n"
