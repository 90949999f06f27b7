"""The ladder: what joins a use of an identity to a pod, what stays open, and what is never claimed."""

from __future__ import annotations

import random
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from bench.attribution import REMOVED, outcomes
from eightysix.context.addresses import Learnt
from eightysix.context.attribution import Attributor, contacts
from eightysix.context.attribution.tokens import token_key
from eightysix.context.inventory import Inventory
from eightysix.lab import recorded
from eightysix.model.attribution import MAX_CANDIDATES, Attribution
from eightysix.model.event import Event
from eightysix.model.words import Grade, Kind, Origin, Outcome, Source
from tests.context.objects import MI, NODE, SCALE_SET, account, at, node, pod, read, scale_set
from tests.detect.events import BASE_NS, SECOND, event, metadata

UTI = "k38f9CuPn99GBLWA7NhOeQ"
OTHER_NODE = "aks-cpu-1-vmss000001"


def cloud(at: float, resource: str = "sign-in", **fields: Any) -> Event:
    """A row of the provider; fields of pods are empty."""
    values: dict[str, Any] = {
        "source": Source.AZURE,
        "origin": Origin.PROVIDER,
        "grade": Grade.F,
        "resource": resource,
        "principals": (MI["object"], MI["client"]),
        **dict.fromkeys(
            ("cluster", "node", "namespace", "pod", "pod_uid", "container_id", "workload", "workload_kind"),
            "",
        ),
        **dict.fromkeys(("image", "image_digest", "exec_id", "binary", "command"), ""),
    }
    if resource == "sign-in":
        values["activity"] = "managed-identity"
    return event(Kind.CLOUD, at, **(values | fields))


def audit(at: float, **fields: Any) -> Event:
    values: dict[str, Any] = {
        "source": Source.KUBERNETES_AUDIT,
        "origin": Origin.CONTROL_PLANE,
        "service_account": "ml/inference-sa",
        "identity": "system:serviceaccount:ml:inference-sa",
        "outcome": Outcome.ALLOWED,
        **dict.fromkeys(("node", "pod", "pod_uid", "container_id", "exec_id", "workload"), ""),
    }
    return event(Kind.API, at, **(values | fields))


def asked(at: float, number: int = 0, **fields: Any) -> Event:
    """A connection to the metadata service that the kernel saw."""
    named = {
        "pod": f"inference-{number}",
        "pod_uid": f"uid-{number}",
        "node": NODE,
        "container_id": f"c{number:015}",
    }
    return metadata(at, **(named | fields))


def said(at: float, number: int = 0, **fields: Any) -> Event:
    """A request for a token, by the word of the pod's own code."""
    values: dict[str, Any] = {
        "source": Source.SENSOR,
        "origin": Origin.SUSPECT,
        "grade": Grade.A,
        "pod": f"inference-{number}",
        "pod_uid": f"uid-{number}",
        "node": NODE,
        "container_id": f"c{number:015}",
        "dst_ip": "169.254.169.254",
        "dst_port": 80,
        "url_path": "/metadata/identity/oauth2/token",
        "principals": (MI["client"],),
    }
    return event(Kind.HTTP, at, **(values | fields))


def attributor_of(*events: Event, inventory: Inventory | None = None) -> Attributor:
    made = Attributor(inventory)
    for one in events:
        made.observe(one)
    return made


def names(told: Attribution) -> list[str]:
    return [one.pod for one in told.candidates]


# -- E: the identity of the nodes


def test_one_pod_that_asked_just_before_is_certain() -> None:
    row = cloud(10)
    told = attributor_of(asked(9.9), asked(0, 1), asked(15, 1), row).attribute(row)
    assert (told.grade, told.origin, told.certain) == (Grade.E, Origin.KERNEL, True)
    assert names(told) == ["ml/inference-0"]
    assert told.candidates[0].probability == 1.0
    assert told.join_key == "metadata-connection+time"


def test_pods_that_asked_together_get_a_probability_and_no_guess() -> None:
    row = cloud(10)
    told = attributor_of(asked(9.9, 0), asked(8, 1), asked(9, 2), asked(9.1, 2), row).attribute(row)
    assert not told.certain
    assert [(one.pod, round(one.probability, 3)) for one in told.candidates] == [
        ("ml/inference-0", 0.333),
        ("ml/inference-1", 0.333),
        ("ml/inference-2", 0.333),
    ]
    assert sum(one.probability for one in told.candidates) <= 1


@pytest.mark.parametrize(
    ("at", "among"), [(2.9, False), (3.1, True), (10, True), (11.9, True), (12.1, False)]
)
def test_the_window_has_the_skew_of_clocks_in_it(at: float, *, among: bool) -> None:
    row = cloud(10)
    told = attributor_of(asked(at, 1), asked(9.9, 0), row).attribute(row)
    assert ("ml/inference-1" in names(told)) is among


def test_an_address_of_a_managed_identitys_row_is_never_used() -> None:
    row = cloud(10, source_ip="10.244.1.9")
    told = attributor_of(asked(9.9, 0), asked(0, 9, source_ip="10.244.1.9"), row).attribute(row)
    assert names(told) == ["ml/inference-0"]
    alone = attributor_of(asked(0, 9, source_ip="10.244.1.9"), row).attribute(row)
    assert names(alone) == []
    assert not alone.certain


def test_pods_on_other_machines_cannot_ask_for_the_identity() -> None:
    inventory = Inventory()
    other = node(OTHER_NODE, f"azure://{SCALE_SET.replace('gpu-31337', 'cpu-1')}/virtualMachines/1")
    read(inventory, node(), other, scale_set())
    row = cloud(10)
    told = attributor_of(asked(9, 0), asked(9.5, 1, node=OTHER_NODE), row, inventory=inventory).attribute(row)
    assert names(told) == ["ml/inference-0"]
    assert told.certain


def test_a_node_that_nobody_looked_at_keeps_it_open() -> None:
    inventory = Inventory()
    read(inventory, node(), node("aks-gpu-31337-vmss000001", f"azure://{SCALE_SET}/virtualMachines/1"))
    row = cloud(10)
    told = attributor_of(asked(9, 0), row, inventory=inventory).attribute(row)
    assert names(told) == ["ml/inference-0"]
    assert not told.certain
    assert "aks-gpu-31337-vmss000001" in told.why


def test_programs_that_start_tell_that_a_node_was_looked_at() -> None:
    other = "aks-gpu-31337-vmss000001"
    inventory = Inventory()
    read(inventory, node(), node(other, f"azure://{SCALE_SET}/virtualMachines/1"))
    row = cloud(1000)

    def told(*starts: float) -> Attribution:
        """What starts on the other node add to an event of it long before."""
        made = attributor_of(asked(999, 0), row, asked(400, 1, node=other), inventory=inventory)
        trees = {
            "uid-1": {
                b64encode(f"{other}:{number}:7".encode()).decode(): (
                    "",
                    7,
                    rfc3339(at),
                    "/bin/true",
                    "",
                    None,
                )
                for number, at in enumerate(starts)
            }
        }
        made.note_processes(trees)
        return made.attribute(row)

    assert not told().certain
    assert not told(100.0).certain  # before anybody looked: found running
    assert told(980.0).certain


def rfc3339(at: float) -> str:
    return datetime.fromtimestamp((BASE_NS + at * SECOND) / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_process_of_the_node_keeps_it_open() -> None:
    row = cloud(10)
    stranger = metadata(9.5, pod="", pod_uid="", namespace="", container_id="", node=NODE)
    told = attributor_of(asked(9, 0), stranger, row).attribute(row)
    assert (names(told), told.others, told.certain) == (["ml/inference-0"], 1, False)
    assert told.candidates[0].probability == 0.5


def test_a_forked_worker_is_found_by_its_container() -> None:
    row = cloud(10)
    worker = metadata(9.5, pod="", pod_uid="", namespace="", container_id="c000000000000000", node=NODE)
    told = attributor_of(asked(0, 0), worker, row).attribute(row)
    assert (names(told), told.certain) == (["ml/inference-0"], True)


def test_a_pods_own_word_explains_and_takes_nobodys_place() -> None:
    row = cloud(10)
    told = attributor_of(asked(9, 0), asked(9.2, 1), said(9.2, 1), row).attribute(row)
    assert names(told) == ["ml/inference-1", "ml/inference-0"]
    assert {one.probability for one in told.candidates} == {0.5}
    assert not told.certain


def test_a_pod_that_only_says_so_is_a_candidate_where_no_kernel_looked_and_never_certain() -> None:
    row = cloud(10)
    alone = attributor_of(said(9.5, 1), row).attribute(row)
    assert (alone.grade, alone.origin, alone.certain) == (Grade.A, Origin.SUSPECT, False)
    assert names(alone) == ["ml/inference-1"]
    beside = attributor_of(asked(9, 0), said(9.5, 1, node="unseen"), row).attribute(row)
    assert sorted(names(beside)) == ["ml/inference-0", "ml/inference-1"]
    assert not beside.certain
    # Where the kernel of its node looked, it did not connect, whatever it says: it cannot hide who did.
    liar = attributor_of(asked(9, 0), asked(300, 1), said(9.5, 1), row).attribute(row)
    assert names(liar) == ["ml/inference-0"]
    assert liar.certain


def test_the_page_about_the_machine_is_no_token() -> None:
    row = cloud(10)
    page = said(9.5, 1, url_path="/metadata/instance", principals=())
    assert names(attributor_of(page, row).attribute(row)) == []


def test_without_a_connection_those_stay_whom_it_is_declared_for() -> None:
    inventory = Inventory()
    read(inventory, node(), scale_set(), account("inference-sa", MI["client"]))
    read(inventory, pod("a", "u-a"), pod("b", "u-b"), pod("c", "u-c", account="other"))
    row = cloud(0, time_ns=pod_time())
    told = attributor_of(row, inventory=inventory).attribute(row)
    assert (told.grade, told.certain, names(told), told.others) == (Grade.D, False, ["ml/a", "ml/b"], 1)
    assert told.candidates[0].probability == pytest.approx(1 / 3, abs=1e-5)


def pod_time() -> int:
    return at("10:30:00")


def test_without_anything_all_pods_of_the_machines_stay_bounded() -> None:
    inventory = Inventory()
    read(inventory, node(), scale_set(), *(pod(f"p-{n:03}", f"u-{n}") for n in range(100)))
    row = cloud(0, time_ns=pod_time())
    told = attributor_of(row, inventory=inventory).attribute(row)
    assert (told.grade, len(told.candidates), told.others) == (Grade.E, MAX_CANDIDATES, 100 - MAX_CANDIDATES)
    assert sum(one.probability for one in told.candidates) < 1


def test_nothing_is_certain_where_a_bound_was_hit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contacts, "MAX_CONTACTS", 1)
    row = cloud(10)
    told = attributor_of(asked(9.9), asked(9.8, 1), row).attribute(row)
    assert (len(told.candidates), told.certain) == (1, False)
    assert "a bound was hit" in told.why


def test_nothing_known_is_told_as_that() -> None:
    row = cloud(10)
    told = attributor_of(row).attribute(row)
    assert (told.candidates, told.certain, told.grade) == ((), False, Grade.F)
    assert "nothing tells which machines" in told.why


# -- D: federated tokens


def federated(*more: object) -> Inventory:
    inventory = Inventory()
    credential = {
        "id": "fic-1",
        "name": "f",
        "issuer": "https://i",
        "subject": "system:serviceaccount:ml:inference-sa",
    }
    read(inventory, credential, *more)
    return inventory


def login(at: float, number: int, **fields: Any) -> Event:
    values = {
        "dst_ip": "20.190.1.1",
        "dst_port": 443,
        "dst_name": "login.microsoftonline.com",
        "domain": None,
    }
    return asked(at, number, **(values | fields))


def test_a_federated_credential_names_the_service_account() -> None:
    row = cloud(10, activity="service-principal", federation="FIC-1", source_ip="203.0.113.9")
    events = [asked(0, n, service_account="ml/inference-sa") for n in range(3)]
    other = asked(0, 7, service_account="ml/other")
    told = attributor_of(*events, other, row, inventory=federated()).attribute(row)
    assert (told.grade, told.origin, told.join_key) == (Grade.D, Origin.PROVIDER, "federated-credential")
    assert names(told) == [f"ml/inference-{n}" for n in range(3)]
    assert not told.certain


def test_a_connection_to_the_login_endpoint_narrows_it() -> None:
    row = cloud(60, activity="service-principal", federation="fic-1")
    events = [asked(0, n, service_account="ml/inference-sa") for n in range(3)]
    seen = [asked(200, 2), login(40, 1)]
    told = attributor_of(*events, *seen, row, inventory=federated()).attribute(row)
    assert (names(told), told.join_key) == (["ml/inference-1"], "federated-credential+login-connection")
    assert not told.certain  # a connection that nobody gave a name to may have been another's
    late = attributor_of(*events, login(10, 1), row, inventory=federated()).attribute(row)
    assert len(late.candidates) == 3


def test_the_only_pod_of_the_service_account_that_connected_is_certain() -> None:
    row = cloud(60, activity="service-principal", federation="fic-1")
    mine = asked(0, 1, service_account="ml/inference-sa")
    told = attributor_of(mine, login(59, 1), row, inventory=federated()).attribute(row)
    assert (names(told), told.certain) == (["ml/inference-1"], True)
    unknown = attributor_of(mine, login(59, 1), asked(0, 2), row, inventory=federated()).attribute(row)
    assert (names(unknown), unknown.certain) == (["ml/inference-1"], False)


def test_whoever_had_a_token_of_the_account_issued_is_a_candidate() -> None:
    row = cloud(60, activity="service-principal", federation="fic-1")
    mint = audit(
        30,
        pod="tool",
        pod_uid="u-tool",
        service_account="ml/tool-sa",
        verb="create",
        resource="serviceaccounts",
        subresource="token",
        object_namespace="ml",
        object_name="inference-sa",
        issued_credential_id="jti-1",
    )
    mine = asked(0, 1, service_account="ml/inference-sa")
    told = attributor_of(mine, mint, login(59, 1), row, inventory=federated()).attribute(row)
    assert (names(told), told.certain) == (["ml/inference-1", "ml/tool"], False)


# -- C: the API server


def test_the_api_server_names_the_pod() -> None:
    use = audit(5, pod="inference-0", pod_uid="uid-0")
    told = attributor_of(use).attribute(use)
    assert (told.grade, told.join_key, told.certain) == (Grade.C, "pod-uid", True)
    assert told.candidates[0].uid == "uid-0"


def test_a_token_that_a_pod_showed_is_its_own() -> None:
    first = audit(5, pod="inference-0", pod_uid="uid-0", credential_id="jti")
    second = audit(50, credential_id="jti", source_ip="203.0.113.9")
    told = attributor_of(first, second).attribute(second)
    assert (told.grade, told.join_key, told.certain) == (Grade.C, "credential-id", True)
    assert told.candidates[0].uid == "uid-0"


def test_a_token_that_a_pod_had_issued_was_its_own_first() -> None:
    mint = audit(
        5,
        pod="inference-0",
        pod_uid="uid-0",
        verb="create",
        resource="serviceaccounts",
        subresource="token",
        object_namespace="ml",
        object_name="ci-sa",
        issued_credential_id="jti-2",
    )
    use = audit(
        500, credential_id="jti-2", service_account="ml/ci-sa", identity="system:serviceaccount:ml:ci-sa"
    )
    told = attributor_of(mint, use).attribute(use)
    assert (told.join_key, told.certain, told.candidates[0].uid) == ("issued-credential-id", True, "uid-0")


def test_a_token_that_was_issued_for_another_pod_is_of_who_had_it_issued() -> None:
    """It is bound to the victim, so the API server names that one; the thief holds it."""
    mint = audit(
        5,
        pod="thief",
        pod_uid="u-thief",
        verb="create",
        resource="serviceaccounts",
        subresource="token",
        object_namespace="ml",
        object_name="victim-sa",
        issued_credential_id="jti-3",
    )
    use = audit(50, credential_id="jti-3", service_account="ml/victim-sa", pod="victim", pod_uid="u-victim")
    told = attributor_of(mint, use).attribute(use)
    assert (names(told), told.join_key, told.certain) == (["ml/thief"], "issued-credential-id", True)
    by_hand = replace(mint, pod="", pod_uid="", service_account="", identity="alice@example.com")
    told = attributor_of(by_hand, use).attribute(use)
    assert (names(told), told.certain) == (["ml/victim"], False)
    assert "alice@example.com had this token issued" in told.why
    kubelet = replace(by_hand, identity=f"system:node:{NODE}")
    assert attributor_of(kubelet, use).attribute(use).certain


def test_what_a_token_is_bound_to_is_told_by_the_body_that_asked_for_it() -> None:
    learnt = Learnt()
    learnt.note_token("jti-4", "uid-0")
    learnt.note_account("uid-0", "ml/inference-sa")
    use = audit(50, credential_id="jti-4")
    made = attributor_of(asked(0), use)
    made.learn(learnt)
    told = made.attribute(use)
    assert (told.join_key, told.certain, told.candidates[0].uid) == ("credential-id", True, "uid-0")
    assert [p.uid for p in made.inventory.running_as("ml/inference-sa", use.time_ns)] == ["uid-0"]


@pytest.mark.parametrize("order", [("uid-0", "uid-1"), ("uid-1", "uid-0")])
def test_bodies_that_bind_one_token_to_two_pods_contradict_each_other(order: tuple[str, ...]) -> None:
    learnt = Learnt()
    for uid in order:
        learnt.note_token("jti", uid)
    use = audit(50, credential_id="jti")
    made = attributor_of(asked(0), asked(1, 1), use)
    made.learn(learnt)
    told = made.attribute(use)
    assert ([c.uid for c in told.candidates], told.certain) == (["uid-0", "uid-1"], False)
    assert "contradict each other" in told.why
    alone = attributor_of(asked(0), use)  # of the other pod there is no other record
    alone.learn(learnt)
    told = alone.attribute(use)
    assert ([c.uid for c in told.candidates], told.others, told.certain) == (["uid-0"], 1, False)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_requests_that_show_one_token_for_two_pods_contradict_each_other(order: tuple[int, int]) -> None:
    uses = [audit(5 + n, pod=f"inference-{n}", pod_uid=f"uid-{n}", credential_id="jti") for n in (0, 1)]
    third = audit(50, credential_id="jti")
    made = attributor_of(asked(0), asked(1, 1), *(uses[n] for n in order), third)
    for number, use in enumerate(uses):
        told = made.attribute(use)
        assert (told.candidates[0].uid, len(told.candidates), told.certain) == (f"uid-{number}", 2, False)
        assert "contradict each other" in told.why
    told = made.attribute(third)
    assert (len(told.candidates), told.certain) == (2, False)
    assert "contradict each other" in told.why


def test_a_pod_by_its_name_and_by_its_uid_is_no_contradiction() -> None:
    first = audit(5, pod="inference-0", pod_uid="uid-0", namespace="ml", credential_id="jti")
    second = audit(6, pod="inference-0", namespace="ml", credential_id="jti")
    made = attributor_of(asked(0), first, second)
    assert [made.attribute(one).certain for one in (first, second)] == [True, True]
    assert made.attribute(audit(50, credential_id="jti")).certain


def test_tokens_that_had_themselves_issued_end() -> None:
    loop = [
        audit(
            n,
            credential_id=f"jti-{n % 2}",
            issued_credential_id=f"jti-{(n + 1) % 2}",
            verb="create",
            resource="serviceaccounts",
            subresource="token",
            object_namespace="ml",
            object_name="inference-sa",
        )
        for n in range(2)
    ]
    told = attributor_of(*loop).attribute(loop[0])
    assert not told.certain


def test_a_service_account_alone_is_no_pod() -> None:
    pods = [asked(0, n, service_account="ml/inference-sa", source_ip=f"10.244.1.{n + 5}") for n in range(2)]
    use = audit(5, source_ip="203.0.113.9")
    told = attributor_of(*pods, use).attribute(use)
    assert (told.grade, told.certain, len(told.candidates)) == (Grade.D, False, 2)
    near = audit(5, source_ip="10.244.1.6")
    told = attributor_of(*pods, near).attribute(near)
    assert (names(told), told.join_key, told.certain) == (
        ["ml/inference-1"],
        "service-account+address",
        False,
    )


def test_a_person_is_no_pod() -> None:
    use = audit(5, service_account="", identity="alice@example.com")
    told = attributor_of(use).attribute(use)
    assert (told.candidates, told.grade) == ((), Grade.F)


# -- from a sign-in to what was done


@pytest.mark.parametrize("written", ["22", "36", "48"])
def test_the_id_of_a_token_leads_from_the_sign_in_to_the_use(written: str) -> None:
    guid = token_key(UTI)
    other = {"22": UTI, "36": guid.upper(), "48": b64encode(guid.encode()).decode()}[written]
    row = cloud(10, credential_id=UTI)
    use = cloud(3000, "activity", credential_id=other, source_ip="203.0.113.9")
    told = attributor_of(asked(9.9), row, use).attribute(use)
    assert (told.grade, told.join_key, told.certain) == (Grade.E, "uti+metadata-connection+time", True)
    assert names(told) == ["ml/inference-0"]


def test_the_metadata_service_may_have_handed_the_same_token_to_others_since() -> None:
    row, use = cloud(10, credential_id=UTI), cloud(3000, "activity", credential_id=UTI)
    told = attributor_of(asked(9.9), asked(1000, 1), asked(1000, 2, node="elsewhere"), row, use).attribute(
        use
    )
    assert (names(told), told.certain) == (["ml/inference-0", "ml/inference-1"], False)


def test_a_token_of_another_principal_is_not_joined_by_its_id() -> None:
    row = cloud(10, credential_id=UTI)
    use = cloud(30, "activity", credential_id=UTI, principals=("99999999-2222-4222-8222-222222222222",))
    told = attributor_of(asked(9.9), row, use).attribute(use)
    assert told.candidates == ()


def test_without_an_id_whoever_may_hold_a_token_stays_possible_for_a_day() -> None:
    row = cloud(10)
    use = cloud(80_000, "storage", source_ip="203.0.113.9")
    too_old = cloud(100_000, "storage", source_ip="203.0.113.9")
    events = [asked(9.9), asked(40, 1), row, use, too_old]
    told = attributor_of(*events).attribute(use)
    assert (names(told), told.certain, told.join_key) == (
        ["ml/inference-0", "ml/inference-1"],
        False,
        "client-id+time",
    )
    assert attributor_of(*events).attribute(too_old).candidates == ()


def test_a_missing_sign_in_clears_nobody() -> None:
    """Pod 1 asked and was served a kept token: there is no row of its own, and it stays a candidate."""
    row = cloud(10)
    use = cloud(3600, "key-vault")
    told = attributor_of(asked(9.9), asked(1800, 1), row, use).attribute(use)
    assert "ml/inference-1" in names(told)


def test_an_address_of_a_holder_narrows_a_use_and_makes_nothing_certain() -> None:
    row = cloud(10)
    use = cloud(60, "registry", source_ip="10.244.1.6")
    events = [asked(9.9, 0, source_ip="10.244.1.5"), asked(40, 1, source_ip="10.244.1.6"), row, use]
    told = attributor_of(*events).attribute(use)
    assert (names(told), told.join_key, told.certain) == (["ml/inference-1"], "client-id+address", False)


def test_a_client_secret_leaves_an_address_or_time() -> None:
    who = ("33333333-3333-4333-8333-333333333333",)
    row = cloud(60, activity="service-principal", principals=who, source_ip="10.244.1.5")
    told = attributor_of(asked(0, 0, source_ip="10.244.1.5"), row).attribute(row)
    assert (told.grade, told.join_key, names(told), told.certain) == (
        Grade.F,
        "address",
        ["ml/inference-0"],
        False,
    )
    outside = cloud(60, activity="service-principal", principals=who, source_ip="203.0.113.9")
    told = attributor_of(asked(0, 0), login(50, 1), outside).attribute(outside)
    assert (told.grade, told.join_key, names(told)) == (
        Grade.F,
        "login-connection+time",
        ["ml/inference-1"],
    )


# -- all together


@pytest.mark.parametrize("seed", range(10))
def test_order_and_repetition_do_not_matter(seed: int) -> None:
    random_ = random.Random(seed)
    kinds = (asked, said, login)
    events: list[Event] = [
        random_.choice(kinds)(random_.uniform(0, 120), random_.randrange(4), node=f"n-{random_.randrange(3)}")
        for _ in range(40)
    ]
    rows = [cloud(random_.uniform(0, 120), credential_id=f"{n:022}") for n in range(6)]
    rows += [cloud(random_.uniform(0, 90_000), "activity", credential_id=f"{n:022}") for n in range(6)]
    rows += [cloud(random_.uniform(0, 90_000), "storage", source_ip="10.244.1.5") for n in range(3)]
    rows += [cloud(60, activity="service-principal", federation="fic-1")]
    rows += [audit(n, credential_id=f"jti-{n % 3}", pod_uid=f"uid-{n}" if n % 2 else "") for n in range(6)]
    everything = [*events, *rows]
    plain = attributor_of(*everything, inventory=federated()).attribute_all(rows)
    shuffled = everything * 2
    random_.shuffle(shuffled)
    other = attributor_of(*shuffled, inventory=federated())
    assert [other.attribute(row) for row in reversed(rows)] == list(reversed(plain))
    for told in plain:
        assert sum(one.probability for one in told.candidates) <= 1
        assert not told.certain or (len(told.candidates) == 1 and not told.others)


@pytest.mark.parametrize("removed", REMOVED)
def test_on_the_recorded_runs_no_wrong_pod_is_ever_certain(removed: str) -> None:
    """Every sign-in of every recording, with the truth beside: the right pod is the certain one or a candidate."""
    found = [outcome for name in recorded.names() for outcome in outcomes(name, removed)]
    managed = [outcome for outcome in found if outcome.kind == "managed identity"]
    assert len(managed) >= 90
    assert not [outcome for outcome in found if outcome.answer == "wrong"]
    if removed != "tetragon.jsonl":
        assert not [outcome for outcome in managed if outcome.answer == "absent"]
        certain = [outcome for outcome in managed if outcome.answer == "certain"]
        # Only where pods started within seconds of each other, or one made another, more than one asked.
        assert {o.recording for o in managed if o.answer != "certain"} == {"rollout", "second-pod"}
        assert len(certain) / len(managed) > 0.9
    else:
        assert not [outcome for outcome in managed if outcome.told.certain]
        assert {o.told.origin for o in managed if o.answer == "among"} == {Origin.SUSPECT}


def test_time_is_what_the_base_says() -> None:
    assert cloud(1).time_ns == BASE_NS + SECOND
