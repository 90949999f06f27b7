"""The half of the pack that reads cloud tables: identities, the registry, Defender. On its rows, in any order, and on worse."""

from __future__ import annotations

import ipaddress
import json
import random
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from eightysix import lab
from eightysix.hunt.engine import run
from eightysix.hunt.interface import Query, QueryKind
from eightysix.hunt.lexer import tokens
from eightysix.hunt.local import Tally, source_of, source_of_rows
from eightysix.hunt.pack import packaged_folder, read_query
from eightysix.model.table import ScalarType
from eightysix.store.columns import local_columns
from eightysix.store.tables import load

IDS = (
    "blob-reads-by-newcomer",
    "cloud-tables-silent",
    "cloud-token-command",
    "dormant-identity-awake",
    "federated-token-to-azure",
    "identity-inventory-last-use",
    "key-vault-secret-burst",
    "managed-identity-new-resource",
    "principal-new-resource-or-address-xdr",
    "principal-outside-egress",
    "rare-domain-after-credential",
    "registry-login-burst",
    "registry-moved-tag-first-pull",
    "registry-push-by-newcomer",
    "registry-push-from-outside",
    "registry-removed-after-push",
    "registry-tag-moved",
    "rights-added-by-workload",
    "secret-read-then-principal-signin",
    "secrets-read-then-outbound",
    "storage-keys-listed",
    "two-identities-one-address",
)
NOON = 1_795_435_200_000_000_000
"""2026-11-23T12:00:00Z, just after the newest row of every recording."""
STAGES = {"land", "run", "reach", "pivot", "leave", "use"}
HOSTILE = (
    '["x", {"y": 1}]',
    '\'; DROP TABLE "AKSAudit"; --',
    "\u202e\x1b[31m\x00\ud7ff",
    "169.254.169.254 169.254.169.254/" * 500,
    '{"uti":{"uti":[' * 40,
    "999.999.999.999:99999",
    ":::::::/999",
    "$now %s \\ \\u0000 %n",
    "",
)
MOVED = "registry-push-from-outside"

_Rows = list[tuple[str, Mapping[str, Any]]]


def _query(name: str) -> Query:
    return read_query(packaged_folder() / name)


def _rows(file: Path) -> _Rows:
    read = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    return [(one["table"], one["row"]) for one in read]


def _found(query: Query, rows: _Rows, **parameters: str) -> list[dict[str, Any]]:
    source = source_of_rows(rows)
    try:
        result = run(query.text, source, now=NOON, parameters=parameters)
    finally:
        source.close()
    names = [one.name for one in result.columns]
    return [dict(zip(names, row, strict=True)) for row in result.rows]


def _recorded(name: str, recording: str) -> list[dict[str, Any]]:
    return _found(_query(name), _rows(packaged_folder() / name / f"{recording}.jsonl"))


def _recordings(kind: str) -> list[Path]:
    return [file for name in IDS for file in sorted((packaged_folder() / name / kind).glob("*.jsonl"))]


def _told(file: Path) -> str:
    return f"{file.parent.parent.name}/{file.stem}"


def _shuffled(rows: _Rows, seed: str) -> _Rows:
    """In another order, and some of them twice or thrice: exports overlap."""
    chance = random.Random(seed)
    more = rows + chance.choices(rows, k=len(rows))
    chance.shuffle(more)
    return more


@pytest.mark.parametrize("file", _recordings("fires"), ids=_told)
def test_what_fires_fires_in_any_order_and_twice(file: Path) -> None:
    assert _found(_query(file.parent.parent.name), _shuffled(_rows(file), file.stem))


@pytest.mark.parametrize("file", _recordings("quiet"), ids=_told)
def test_what_is_quiet_stays_quiet_in_any_order_and_twice(file: Path) -> None:
    assert not _found(_query(file.parent.parent.name), _shuffled(_rows(file), file.stem))


@pytest.mark.parametrize("name", IDS)
def test_rows_that_nobody_expects_end_no_query(name: str) -> None:
    """Every text, and every dynamic value, of rows beside those that fire: the query still finds what it found."""
    query = _query(name)
    file = min((packaged_folder() / name / "fires").glob("*.jsonl"))
    strangers: _Rows = []
    for table in query.tables:
        columns = local_columns(load()[table])
        for number, text in enumerate(HOSTILE):
            row: dict[str, Any] = {}
            for column in columns:
                if column.type is ScalarType.STRING:
                    row[column.name] = text
                elif column.type is ScalarType.DYNAMIC:
                    row[column.name] = ([text], {text: [text]}, text, 7, None)[number % 5]
                elif column.type is ScalarType.DATETIME:
                    row[column.name] = "2026-11-23T11:55:00Z"
            strangers.append((table, row))
    if name == "cloud-tables-silent":  # a row of any kind is what it looks for
        strangers = [one for one in strangers if one[0] != "AZKVAuditLogs"]
        file = file.with_name("one-table-missing.jsonl")
    assert _found(query, _rows(file) + strangers)


@pytest.mark.parametrize("name", IDS)
def test_what_is_told_about_a_query_is_whole(name: str) -> None:
    query = _query(name)
    assert "?" in query.question
    assert all((query.volume, query.false_positives, query.next, query.stages, query.attack, query.matrix))
    assert set(query.stages) <= STAGES
    assert all(one.startswith("T1") for one in query.attack)
    assert all(9001 <= int(one.removeprefix("MS-TA")) <= 9041 for one in query.matrix)
    for kind in ("fires", "quiet"):
        assert len(list((packaged_folder() / name / kind).glob("*.jsonl"))) >= 2
    assert set(query.parameters) == _lets(query.text) - _computed(query.text)
    assert (query.analytics is not None) == (query.kind is QueryKind.ANALYTICS)


def _lets(text: str) -> set[str]:
    words = [one.text for one in tokens(text) if one.kind == "word"]
    return {name for word, name in pairwise(words) if word == "let"}


def _computed(text: str) -> set[str]:
    """Statements that are no literal: nobody sets those."""
    found = set()
    for statement in text.split(";\n"):
        code = [one.text for one in tokens(statement) if one.kind != "space"]
        if code[:1] == ["let"] and not (code[3][:1].isdigit() or code[3] == "dynamic"):
            found.add(code[1])
    return found


RULES = tuple(name for name in IDS if _query(name).analytics is not None)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_looks_back_as_far_as_its_query_needs(name: str) -> None:
    """`recent` covers the time between two runs and late rows, and the schedule gives the whole baseline."""
    query = _query(name)
    assert query.analytics is not None
    lets = {one: _minutes(query.text, one) for one in ("recent", "baseline") if one in query.parameters}
    if "recent" in lets:
        assert lets["recent"] >= query.analytics.every + query.analytics.late
    assert query.analytics.over >= lets.get("baseline", 0)
    assert query.analytics.over + query.analytics.late <= 14 * 1440


def _minutes(text: str, name: str) -> int:
    value = text.partition(f"let {name} = ")[2].partition(";")[0]
    return int(value[:-1]) * {"m": 1, "h": 60, "d": 1440}[value[-1]]


def test_about_files_hold_nothing_but_yaml_that_a_person_reads() -> None:
    for name in IDS:
        text = (packaged_folder() / name / "about.yml").read_text("utf-8")
        assert text.isascii()
        assert yaml.safe_load(text)["title"]


def _push(address: str, number: int) -> tuple[str, Mapping[str, Any]]:
    row = {
        "TimeGenerated": "2026-11-23T11:50:00Z",
        "OperationName": "Push",
        "LoginServer": "contosoml.azurecr.io",
        "Identity": "44444444-4444-4444-8444-444444444444",
        "Repository": f"r{number}",
        "CallerIpAddress": address,
        "ResultDescription": "201",
        "CorrelationId": str(number),
    }
    return "ContainerRegistryRepositoryEvents", row


def _outside(ranges: Sequence[str], addresses: Sequence[str]) -> set[str]:
    told = "dynamic([" + ", ".join(f'"{one}"' for one in ranges) + "])"
    rows = [_push(address, number) for number, address in enumerate(addresses)]
    return {one["Ip"] for one in _found(_query(MOVED), rows, builders=told)}


@pytest.mark.parametrize("seed", range(4))
def test_ranges_hold_what_python_says_that_they_hold(seed: int) -> None:
    """Networks of every length, and the addresses at and beside their edges."""
    chance = random.Random(seed)
    networks = [
        ipaddress.IPv4Network((chance.getrandbits(32), chance.randint(1, 32)), strict=False)
        for _ in range(12)
    ]
    edges = [
        value
        for network in networks
        for value in (int(network[0]) - 1, int(network[0]), int(network[-1]), int(network[-1]) + 1)
    ]
    addresses = [ipaddress.IPv4Address(value) for value in edges if 0 <= value < 1 << 32]
    held = networks[:3]
    inner = [network[chance.randrange(min(network.num_addresses, 1000))] for network in held]
    given = [f"{one}/{network.prefixlen}" for one, network in zip(inner, held, strict=True)]
    expected = {str(one) for one in addresses if not any(one in network for network in held)}
    assert _outside(given, [str(one) for one in addresses]) == expected


def test_ranges_of_ipv6_and_ranges_that_are_none() -> None:
    addresses = [
        "2001:db8:1::5",
        "2001:db8:12::5",
        "[2001:DB8:1::6]:443",
        "::ffff:10.0.0.1",
        "10.0.0.2:80",
        "11.0.0.1",
    ]
    held = ["2001:db8:1::/48", "10.0.0.0/8"]
    assert _outside(held, addresses) == {"2001:db8:12::5", "11.0.0.1"}
    broken = ["", "/", "10.0.0.0/33", "10.0.0.0/-1", "x/y", "::", "10.0.0", "300.0.0.0/40"]
    assert "10.0.0.2" in _outside(broken, addresses)
    assert _outside([], addresses) >= {"10.0.0.1", "10.0.0.2", "11.0.0.1"}
    assert _outside(["0.0.0.0/0"], ["0.0.0.0", "255.255.255.255"]) == set()
    assert _outside(["11.0.0.1"], addresses) & {"10.0.0.2", "11.0.0.1"} == {"10.0.0.2"}


def test_the_address_just_behind_the_range_is_told_with_its_identity() -> None:
    (row,) = _recorded("principal-outside-egress", "fires/vault-just-behind-the-range")
    assert (row["Ip"], row["Principal"]) == ("20.76.15.0", "22222222-2222-4222-8222-222222222222")
    assert row["Actions"] == ["vault: SecretGet"]


def test_attached_identities_can_be_named() -> None:
    query = _query("principal-outside-egress")
    rows = _rows(packaged_folder() / query.id / "quiet" / "not-an-identity-of-pods.jsonl")
    named = 'dynamic(["44444444-4444-4444-8444-444444444444"])'
    assert [one["Ip"] for one in _found(query, rows, attached=named)] == ["203.0.113.77"]


def test_a_token_is_followed_from_its_minting_to_what_it_did() -> None:
    (row,) = _recorded("federated-token-to-azure", "fires/minted-by-a-pod")
    assert row["ServiceAccount"] == "ml/inference"
    assert (row["MintedBy"], row["MintedByKubelet"]) == ("system:serviceaccount:ml:inference", False)
    assert row["UniqueTokenIdentifier"] == "AbCdEf0123456789ghIJkl"
    assert row["Operations"] == ["MICROSOFT.STORAGE/STORAGEACCOUNTS/LISTKEYS/ACTION"]
    assert (row["SecondsToExchange"], row["SecondsToAction"]) == (20, 100)
    (row,) = _recorded("federated-token-to-azure", "fires/claims-as-text-only")
    assert (row["MintedByKubelet"], row["BoundTo"]) == (True, "inference-7d9c5b6f4-x2x9k")


def test_the_inventory_tells_the_share_of_unused_identities() -> None:
    (row,) = _recorded("identity-inventory-last-use", "fires/role-never-used")
    assert (row["UnusedIdentities"], row["Identities"], row["UnusedPercent"]) == (1, 2, 50.0)
    assert (row["Rights"], row["LastUse"]) == (["8311e382-0749-4cb8-b61a-304f252e45ec"], None)
    query = _query("identity-inventory-last-use")
    named = 'dynamic(["66666666-6666-4666-8666-666666666666"])'
    rows = _rows(packaged_folder() / query.id / "quiet" / "used.jsonl")
    (row,) = _found(query, rows, granted=named)
    assert (row["Rights"], row["UnusedPercent"]) == (["given by the hunter"], 50.0)


def test_a_moved_tag_is_told_with_both_digests_and_both_hands() -> None:
    (row,) = _recorded("registry-tag-moved", "fires/latest-by-other-hands")
    assert (row["Tag"], row["TagNeverMoved"], row["OtherHands"], row["Digests"]) == ("latest", False, True, 4)
    assert row["Digest"] != row["LastDigest"]
    assert row["Principal"] != row["LastPrincipal"]
    (row,) = _recorded("registry-tag-moved", "fires/release-tag-moves")
    assert (row["TagNeverMoved"], row["OtherHands"]) == (True, False)


def test_the_workload_and_the_node_pool_that_asked_for_a_moved_tag_are_named() -> None:
    (row,) = _recorded("registry-moved-tag-first-pull", "fires/kubelet-pulls-the-poisoned-release")
    assert (row["Workloads"], row["NodePools"], row["PodStarts"]) == (["ml/inference-7d9c5b6f4"], ["gpu"], 1)
    assert row["MinutesAfterPush"] == 10
    (row,) = _recorded("registry-moved-tag-first-pull", "fires/pulled-by-digest-from-outside")
    assert (row["Workloads"], row["PodStarts"], row["PullAddress"]) == (None, 0, "203.0.113.77")


def test_the_second_identity_is_told_beside_the_first() -> None:
    (row,) = _recorded("two-identities-one-address", "fires/push-identity-from-the-pods-egress")
    assert (row["Ip"], row["SecondsApart"]) == ("20.76.14.9", 86)
    assert (row["First"][:4], row["Second"][:4]) == ("2222", "4444")


def test_bursts_count_what_differs_and_not_what_repeats() -> None:
    (row,) = _recorded("key-vault-secret-burst", "fires/across-a-bin-edge")
    assert row["Secrets"] == 5
    (row,) = _recorded("registry-login-burst", "fires/refused-then-a-pull")
    assert (row["Logins"], row["Kinds"], row["Transfers"]) == (12, ["refused"], 1)


def test_silent_tables_are_told_with_what_fills_them() -> None:
    (row,) = _recorded("cloud-tables-silent", "fires/fell-silent-two-days-ago")
    assert (row["Table"], row["HoursSilent"]) == ("CloudDnsEvents", 48)
    assert row["Feed"] == "Defender for Containers, sensor on the cluster"
    assert len(_found(_query("cloud-tables-silent"), [])) == 12


def test_a_key_is_told_with_what_was_read_by_it() -> None:
    (row,) = _recorded("storage-keys-listed", "fires/pod-lists-then-reads")
    assert (row["Reads"], len(row["Objects"]), row["ReadAddresses"]) == (2, 2, ["203.0.113.77:44321"])
    (row,) = _recorded("storage-keys-listed", "fires/lists-only")
    assert (row["Reads"], row["FirstRead"]) == (0, None)


@pytest.mark.parametrize(("run_of", "found"), [("registry-push", 1), ("honest-model", 0)])
def test_on_recorded_runs_the_second_identity_is_found_by_the_secret_that_it_came_from(
    run_of: str, found: int
) -> None:
    tally = Tally()
    source = source_of([str(Path(lab.__file__).parent / "recorded" / run_of)], tally=tally)
    try:
        result = run(_query("secret-read-then-principal-signin").text, source, now=tally.newest + 1)
    finally:
        source.close()
    assert tally.rows["AADServicePrincipalSignInLogs"]
    assert len(result.rows) == found
