"""What is taken from an estate without a gap is what is missed: nothing else, and with what closes it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eightysix.model.visibility import Certainty, Gap, Importance, Sight, Visibility, Witness
from eightysix.model.words import Stage
from eightysix.rules.catalog import load_packaged
from eightysix.serve.coverage import of_files
from tests.reconstruct.coverage.records import (
    CLUSTER,
    NODES,
    Json,
    at,
    audit,
    cloud,
    everything,
    kernel,
    ns,
    write,
)

ROOT = Path(__file__).resolve().parents[3]
Files = dict[str, list[Json]]
RULES = load_packaged()


def seen(folder: Path, files: Files, *, baseline: bool = True, ledger: bool = True) -> Visibility:
    paths = [write(folder / "telemetry", files)]
    return of_files(paths, None, RULES, baseline=baseline, ledger=ledger)


def ids(found: Visibility) -> list[str]:
    return [one.id for one in found.gaps]


def gap(found: Visibility, name: str) -> Gap:
    return next(one for one in found.gaps if one.id == name)


def sights(found: Visibility) -> dict[tuple[str, str], str]:
    return {(cell.stage, cell.witness): cell.sight for cell in found.clusters[0].cells}


def only(files: Files, keep: Callable[[str], bool]) -> Files:
    return {name: records for name, records in files.items() if keep(name)}


def changed(files: Files, prefix: str, change: Callable[[Json], Json | None]) -> Files:
    return {
        name: [new for record in records if (new := change(record)) is not None]
        if name.startswith(prefix)
        else records
        for name, records in files.items()
    }


def without_policy(function: str) -> Callable[[Json], Json | None]:
    return lambda record: (
        None if record.get("process_kprobe", {}).get("function_name") == function else record
    )


def test_an_estate_in_which_everything_arrives_has_no_gap(tmp_path: Path) -> None:
    found = seen(tmp_path, everything())
    assert found.gaps == ()
    assert all(rule.evaluable for rule in found.rules)
    told = sights(found)
    assert told[Stage.RUN, Witness.SENSOR] == Sight.WHOLE
    assert told[Stage.RUN, Witness.KERNEL] == Sight.PART  # by nature
    assert told[Stage.USE, Witness.KERNEL] == Sight.NEVER
    assert told[Stage.USE, Witness.AUDIT] == told[Stage.USE, Witness.PROVIDER] == Sight.WHOLE
    assert found.clusters[0].name == CLUSTER  # Azure's capitals are the same cluster


def no_host(record: Json) -> Json | None:
    process = record["process_exec"]["process"] if "process_exec" in record else {}
    return record if "pod" in process or not process else None


def no_pod(record: Json) -> Json | None:
    body: Json = next(iter(record.values()))
    return {
        **record,
        next(iter(record)): {**body, "process": {k: v for k, v in body["process"].items() if k != "pod"}},
    }


def no_namespaces(record: Json) -> Json | None:
    body: Json = next(iter(record.values()))
    return {
        **record,
        next(iter(record)): {**body, "process": {k: v for k, v in body["process"].items() if k != "ns"}},
    }


def rate_limited(record: Json) -> Json | None:
    if record["time"] == at(10):
        return {"rate_limit_info": {"number_of_dropped_process_events": "86"}, **{k: record[k] for k in ("node_name", "time")},
                "cluster_name": CLUSTER}  # fmt: skip
    return record


def no_answers(record: Json) -> Json | None:
    del record
    return None


def drop(*prefixes: str) -> Callable[[Files], Files]:
    return lambda files: only(files, lambda name: not name.startswith(prefixes))


def with_file(name: str, records: list[Json]) -> Callable[[Files], Files]:
    return lambda files: {**files, name: records}


CASES: dict[str, tuple[Callable[[Files], Files], list[str]]] = {
    "no kernel": (drop("tetragon"), ["kernel-absent"]),
    "no kernel of one node": (drop(f"tetragon-{NODES[0]}"), ["nodes-untold"]),
    "no policy on connections": (
        lambda f: changed(f, "tetragon", without_policy("tcp_connect")),
        ["connections-unseen"],
    ),
    "no policy on files": (
        lambda f: changed(f, "tetragon", without_policy("security_file_permission")),
        ["files-unseen"],
    ),
    "no policy on the host": (
        lambda f: changed(f, "tetragon", without_policy("__x64_sys_setns")),
        ["host-hooks-untold"],
    ),
    "the chart's deny list": (lambda f: changed(f, "tetragon", no_host), ["host-unseen"]),
    "records of containers without pods": (
        lambda f: changed(f, f"tetragon-{NODES[0]}", no_pod),
        ["unattributed"],
    ),
    "a rate limit": (lambda f: changed(f, f"tetragon-{NODES[1]}", rate_limited), ["tetragon-drops"]),
    "no sensor": (drop("sensor"), ["sensor-absent"]),
    "no sensor in one pod": (drop(f"sensor-{NODES[1]}"), ["sensor-missing"]),
    "no audit log": (drop("audit"), ["audit-absent"]),
    "kube-audit-admin alone": (
        with_file("audit.jsonl", audit("kube-audit-admin", verbs=("create", "patch"))),
        ["audit-admin-only"],
    ),
    "no activity log": (drop("AzureActivity"), ["activity-absent"]),
    "no Key Vault log": (drop("AZKVAuditLogs"), ["key-vault-absent"]),
    "no storage log": (drop("StorageBlobLogs"), ["storage-absent"]),
    "no registry log": (drop("ContainerRegistry"), ["registry-absent"]),
    "half a registry log": (drop("ContainerRegistryLogin"), ["registry-absent"]),
    "no sign-ins": (drop("AAD"), ["sign-ins-absent"]),
    "no sign-ins of managed identities": (drop("AADManaged"), ["sign-ins-absent"]),
    "no names": (drop("flows"), ["names-absent"]),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_taken_away_is_missed_and_nothing_else(case: str, tmp_path: Path) -> None:
    change, expected = CASES[case]
    found = seen(tmp_path, change(everything()))
    assert ids(found) == expected
    for one in found.gaps:
        assert (ROOT / one.fix.file).is_file()
        assert one.fix.commands
        assert one.stages


@pytest.mark.parametrize("case", ["no kernel", "no sensor", "no audit log", "no names", "no sign-ins"])
def test_the_rest_of_the_matrix_stays_as_it_was(case: str, tmp_path: Path) -> None:
    whole = sights(seen(tmp_path / "whole", everything()))
    told = sights(seen(tmp_path / "part", CASES[case][0](everything())))
    gone = {
        "no kernel": {Witness.KERNEL},
        "no sensor": {Witness.SENSOR},
        "no audit log": {Witness.AUDIT},
        "no names": {Witness.NAMES},
        "no sign-ins": {Witness.PROVIDER},
    }[case]
    for (stage, witness), sight in whole.items():
        now = told[stage, witness]
        if witness not in gone:
            # Without the kernel nobody knows which pods have Python and no sensor.
            weaker = case == "no kernel" and witness is Witness.SENSOR and sight == Sight.WHOLE
            assert now == (Sight.PART if weaker else sight), (stage, witness)
        elif witness is not Witness.PROVIDER:
            assert now == (sight if sight == Sight.NEVER else Sight.ABSENT)


def test_what_many_records_lack_is_shown_and_what_few_lack_is_open(tmp_path: Path) -> None:
    many = seen(tmp_path / "many", changed(everything(), "tetragon", without_policy("tcp_connect")))
    assert gap(many, "connections-unseen").certainty is Certainty.SHOWN
    few = {name: records[:40] for name, records in everything().items() if name.startswith("tetragon")}
    few = changed(few, "tetragon", without_policy("tcp_connect"))
    assert gap(seen(tmp_path / "few", few), "connections-unseen").certainty is Certainty.OPEN


def test_a_gap_names_the_rules_that_cannot_be_judged_for_it(tmp_path: Path) -> None:
    found = seen(tmp_path, only(everything(), lambda name: name.startswith("tetragon")), baseline=False)
    blind = {rule.rule for rule in found.rules if not rule.evaluable}
    named = {rule for one in found.gaps for rule in one.rules}
    assert blind == named >= {"token-outside", "identity-outside", "release-drift", "revived-state"}
    assert "token-outside" in gap(found, "audit-absent").rules
    assert all(one.importance is Importance.BLIND for one in found.gaps if one.rules)


def test_metadata_yaml_instead_of_connections_yaml(tmp_path: Path) -> None:
    def change(record: Json) -> Json | None:
        probe = record.get("process_kprobe", {})
        if probe.get("function_name") != "tcp_connect":
            return record
        if probe["args"][0]["sock_arg"]["daddr"] != "169.254.169.254":
            return None
        return {**record, "process_kprobe": {**probe, "policy_name": "eightysix-metadata"}}

    found = seen(tmp_path, changed(everything(), "tetragon", change))
    assert ids(found) == ["connections-metadata-only"]
    assert gap(found, "connections-metadata-only").certainty is Certainty.SHOWN
    assert gap(found, "connections-metadata-only").fix.file == "deploy/tetragon/connections.yaml"


def test_namespaces_that_are_not_told(tmp_path: Path) -> None:
    found = seen(tmp_path, changed(everything(), "tetragon", no_namespaces))
    assert ids(found) == ["namespaces-untold"]


def test_defenders_process_table_has_no_network(tmp_path: Path) -> None:
    row = {"Type": "CloudProcessEvents", "TimeGenerated": at(5), "ActionType": "ProcessCreated", "FileName": "pip",
           "ProcessCommandLine": "pip install x", "KubernetesNamespace": "ml", "KubernetesPodName": "inference-1"}  # fmt: skip
    files = {**only(everything(), lambda name: not name.startswith("tetragon")), "defender.jsonl": [row]}
    found = seen(tmp_path, files)
    assert ids(found) == ["kernel-absent", "defender-no-network"]
    assert "no connection" in gap(found, "defender-no-network").detail
    both = seen(tmp_path / "both", {**everything(), "defender.jsonl": [row]})
    assert both.gaps == ()


def cut(record: Json, start: float, end: float) -> Json | None:
    return None if at(start) <= record["time"] < at(end) else record


def test_a_node_that_falls_silent_while_others_tell_of_it(tmp_path: Path) -> None:
    files = changed(everything(), f"tetragon-{NODES[0]}", lambda record: cut(record, 1200, 2400))
    found = seen(tmp_path, files)
    assert ids(found) == ["silence"]
    one = gap(found, "silence")
    assert one.certainty is Certainty.SHOWN
    assert one.places == (NODES[0],)
    feed = next(feed for feed in found.clusters[0].feeds if feed.name == "tetragon" and feed.node == NODES[0])
    (silence,) = feed.silences
    assert (silence.start[11:19], silence.end[11:19], silence.seconds) == ("09:20:00", "09:40:00", 1200.0)
    assert silence.meanwhile
    assert silence.told > 0
    assert NODES[0] in one.fix.commands[0]


@pytest.mark.parametrize(
    ("gone", "who"), [("sensor-", "tetragon"), ("tetragon-", "its kubelet, by the audit log")]
)
def test_a_silence_that_others_need_not_have_noticed_stays_open(gone: str, who: str, tmp_path: Path) -> None:
    """A sensor has nothing to tell while Python waits; that a kubelet is heard says nothing of its pods."""

    def cut_sensor(record: Json) -> Json | None:
        return None if ns(1200) <= record["t_ns"] < ns(3000) else record

    files = everything()
    if gone == "sensor-":
        files = changed(files, f"sensor-{NODES[0]}", cut_sensor)
    else:
        files = changed(files, f"tetragon-{NODES[0]}", lambda record: cut(record, 1200, 2400))
        files = {name: records for name, records in files.items() if not name.startswith(("sensor", "flows"))}
    found = seen(tmp_path, files)
    one = gap(found, "silence")
    assert (one.certainty, one.importance) == (Certainty.OPEN, Importance.NOTE)
    assert who in one.detail
    assert "whether there was anything to tell is not known" in one.detail


def test_a_silence_that_nobody_can_explain_stays_open(tmp_path: Path) -> None:
    files = only(
        everything(), lambda name: name == f"tetragon-{NODES[0]}.jsonl" or name.startswith(("A", "S", "C"))
    )
    found = seen(tmp_path, changed(files, "tetragon", lambda record: cut(record, 1200, 2400)))
    one = gap(found, "silence")
    assert one.certainty is Certainty.OPEN
    assert one.importance is Importance.NOTE
    assert "quiet or broken is not known" in one.detail


def test_a_log_that_ends_long_before_the_others(tmp_path: Path) -> None:
    found = seen(tmp_path, changed(everything(), "audit", lambda record: cut(record, 2000, 9999)))
    assert ids(found) == ["silence"]
    assert gap(found, "silence").fix.file == "deploy/azure/aks-audit.bicep"


def test_lateness_is_told_by_what_the_records_carry(tmp_path: Path) -> None:
    found = seen(tmp_path, everything())
    late = {feed.name: feed.lateness for feed in (*found.cloud, *found.clusters[0].feeds)}
    activity, kube = late["activity"], late["kube-audit"]
    assert activity is not None
    assert (activity.p95_s, activity.worst_s, activity.records) == (300.0, 240.0, 4)
    assert kube is not None
    assert (kube.median_s, kube.between) == (60.0, "the event and its export")
    assert late["tetragon"] is None  # a record has one time: nothing is said of what nothing tells


def test_a_log_that_comes_hours_late(tmp_path: Path) -> None:
    files = everything()
    files["AzureActivity.jsonl"] = [{**row, "_TimeReceived": at(9 * 3600)} for row in cloud("AzureActivity")]
    assert ids(seen(tmp_path, files)) == ["late"]


def test_two_clusters_are_told_apart(tmp_path: Path) -> None:
    files = {**everything(), "other.jsonl": kernel("other-1", cluster="aks-other")}
    found = seen(tmp_path, files)
    assert [one.name for one in found.clusters] == [CLUSTER, "aks-other"]
    assert {one.id for one in found.gaps if one.cluster == "aks-other"} >= {"audit-absent", "sensor-absent"}
    assert not [one for one in found.gaps if one.cluster == CLUSTER]


def test_what_names_no_cluster_is_of_the_only_one(tmp_path: Path) -> None:
    plain = [json.loads(record["properties"]["log"]) for record in audit()]
    found = seen(tmp_path, {**everything(), "audit.jsonl": plain})
    assert [one.name for one in found.clusters] == [CLUSTER]
    assert found.notes == ("counted to the only cluster, as no record names one: kubernetes-audit",)
    assert not found.gaps


def test_an_empty_estate_is_all_gap(tmp_path: Path) -> None:
    found = seen(tmp_path, {"AzureActivity.jsonl": cloud("AzureActivity")}, baseline=False, ledger=False)
    assert [(one.name, one.feeds) for one in found.clusters] == [("", ())]
    assert sights(found)[Stage.USE, Witness.PROVIDER] == Sight.PART  # what does arrive is not called unseen
    assert {"kernel-absent", "audit-absent", "sensor-absent", "sign-ins-absent", "baseline-absent"} <= set(
        ids(found)
    )
    assert not any(rule.evaluable for rule in found.rules if rule.rule != "identity-outside")


def test_nothing_at_all_is_all_gap(tmp_path: Path) -> None:
    found = seen(tmp_path, {"nothing.jsonl": []}, baseline=False, ledger=False)
    assert found.clusters == ()
    assert {"kernel-absent", "audit-absent", "sensor-absent", "activity-absent"} <= set(ids(found))


def test_kube_audit_admin_beside_a_log_that_may_have_reads(tmp_path: Path) -> None:
    """That the category of administrators has no reads says nothing of the other log."""
    without = {
        "audit.jsonl": audit(verbs=("create",)),
        "admin.jsonl": audit("kube-audit-admin", verbs=("create",)),
    }
    found = seen(tmp_path / "none", {**everything(), **without})
    assert ids(found) == ["audit-no-reads"]
    assert gap(found, "audit-no-reads").certainty == Certainty.OPEN
    beside = seen(tmp_path / "some", {**everything(), "admin.jsonl": without["admin.jsonl"]})
    assert not beside.gaps


def test_an_export_that_has_reads_is_not_said_to_have_none(tmp_path: Path) -> None:
    found = seen(tmp_path, {**everything(), "audit.jsonl": audit("kube-audit-admin")})
    assert not found.gaps
    assert sights(found)[Stage.PIVOT, Witness.AUDIT] == Sight.WHOLE


AZURE = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/"


def processes(cluster: str) -> list[Json]:
    """Two starts in the same instant, as Defender's table has them."""
    return [
        {"Type": "CloudProcessEvents", "TimeGenerated": at(5), "ActionType": "ProcessCreated", "FileName": name,
         "KubernetesPodName": "inference-1", "AzureResourceId": AZURE + cluster}
        for name in ("pip", "sh")
    ]  # fmt: skip


def test_a_cluster_that_defender_alone_tells_of_is_a_cluster(tmp_path: Path) -> None:
    alone = seen(tmp_path / "alone", {"defender.jsonl": processes("aks-c")})
    assert [one.name for one in alone.clusters] == ["aks-c"]
    assert {"kernel-absent", "audit-absent", "sensor-absent", "defender-no-network"} <= set(ids(alone))
    told = sights(alone)
    assert told[Stage.RUN, Witness.PROVIDER] == told[Stage.LAND, Witness.PROVIDER] == Sight.PART
    assert told[Stage.REACH, Witness.PROVIDER] == Sight.ABSENT
    assert alone.cloud[0].records == 2

    beside = seen(tmp_path / "beside", {**everything(), "defender.jsonl": processes("aks-c")})
    assert [(one.id, one.cluster) for one in beside.gaps if one.id == "defender-no-network"] == [
        ("defender-no-network", "aks-c")
    ]
    assert not [one for one in beside.gaps if one.cluster != "aks-c"]
    prod = {cell.witness: cell.sight for cell in beside.clusters[1].cells if cell.stage == Stage.RUN}
    assert prod[Witness.PROVIDER] == Sight.ABSENT  # what Defender tells of another cluster


def test_defenders_audited_requests_are_an_audit_log(tmp_path: Path) -> None:
    rows: list[Json] = []
    for record in audit():
        event = json.loads(record["properties"]["log"])
        rows.append({"Type": "CloudAuditEvents", "TimeGenerated": event["stageTimestamp"],
                     "CloudResourceId": AZURE + CLUSTER, "RawEventData": event})  # fmt: skip
    found = seen(tmp_path, {**everything(), "audit.jsonl": rows})
    assert not found.gaps
    assert [one.name for one in found.clusters] == [CLUSTER]
    assert sights(found)[Stage.PIVOT, Witness.AUDIT] == Sight.WHOLE
    assert all(rule.evaluable for rule in found.rules)


def test_shuffled_and_doubled_records_tell_the_same(tmp_path: Path) -> None:
    chance = random.Random(86)
    files = changed(everything(), f"tetragon-{NODES[0]}", lambda record: cut(record, 1200, 2400))
    files = changed(files, "tetragon", without_policy("security_file_permission"))
    files["plain.jsonl"] = [
        json.loads(record["properties"]["log"]) for record in audit()
    ]  # a second export of the same
    once = seen(tmp_path / "once", files)
    mixed = [record for records in files.values() for record in records * 2]
    chance.shuffle(mixed)
    twice = seen(tmp_path / "twice", {"all.jsonl": mixed})

    def told(found: Visibility) -> Any:
        return (
            found.gaps,
            [one.cells for one in found.clusters],
            found.notes,
            [_told(feed) for feed in all_feeds(found)],
        )

    def _told(feed: Any) -> Any:
        return (
            feed.name,
            feed.node,
            feed.records,
            feed.kinds,
            feed.first,
            feed.last,
            feed.silences,
            feed.lateness,
            feed.of,
        )

    assert told(twice) == told(once)
    assert twice.counts.duplicate == once.counts.events


def all_feeds(found: Visibility) -> list[Any]:
    return [*found.cloud, *(feed for one in found.clusters for feed in one.feeds)]
