"""Objects from files and from a live API server; what may not be seen is told, and Secrets are never asked for."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from eightysix.lab.apiserver import ApiServer, Authority, Tls
from eightysix.lab.apiserver.pki import new_key
from eightysix.model.errors import NothingToReadError
from eightysix.posture.reading import SnapshotBuilder
from eightysix.serve import posture
from eightysix.serve.cluster import Bounds, ClusterClient, ClusterConfig
from eightysix.serve.posture import RESOURCES, collect, read_paths

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / "deploy" / "cluster" / "posture.yaml"
EXAMPLE = ROOT / "examples" / "posture"
CANARY = "Q0FOQVJZ"
SECRET = {
    "kind": "Secret",
    "apiVersion": "v1",
    "metadata": {"name": "hub", "namespace": "ml"},
    "data": {"x": CANARY},
}


def role() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(MANIFEST.read_text()))


def objects(pods: int = 3) -> list[dict[str, Any]]:
    held = [one for one in yaml.safe_load_all((EXAMPLE / "cluster.yaml").read_text()) if one]
    for number in range(pods):
        spec = {"containers": [{"name": "c", "image": "i"}], "nodeName": "n1"}
        meta = {"name": f"p{number}", "namespace": "ml"}
        held.append(
            {
                "kind": "Pod",
                "apiVersion": "v1",
                "metadata": meta,
                "spec": spec,
                "status": {"phase": "Running"},
            }
        )
    return [*held, SECRET]


@pytest.fixture(scope="module")
def keys() -> tuple[Authority, RSAPrivateKey]:
    """One for all servers: making them takes as long as a test."""
    return Authority("kubernetes"), new_key()


@pytest.fixture
def serve(keys: tuple[Authority, RSAPrivateKey]) -> Iterator[Callable[..., tuple[ClusterConfig, list[Any]]]]:
    """An API server over TLS as the account of the manifest reaches it, and its audit events."""
    servers: list[ApiServer] = []
    authority, key = keys

    def start(held: list[dict[str, Any]], rights: list[dict[str, Any]]) -> tuple[ClusterConfig, list[Any]]:
        events: list[Any] = []
        tls = Tls.made(authority, ("127.0.0.1",))
        server = ApiServer([*held, *rights], audit=events.append, tls=tls, key=key).start()
        servers.append(server)
        token = server.token("eightysix", "eightysix-posture").token
        return ClusterConfig(server.url, "aks", authority=tls.authority, token=token), events

    yield start
    for server in servers:
        server.close()


def asked(config: ClusterConfig, bounds: Bounds | None = None, **more: Any) -> SnapshotBuilder:
    builder = SnapshotBuilder(cluster="aks")
    with ClusterClient(config, bounds, sleep=lambda _: None) as client:
        collect(builder, client, **more)
    return builder


def test_the_role_of_the_manifest_is_enough_and_no_secret_is_asked_for(serve: Callable[..., Any]) -> None:
    config, events = serve(objects(), role())
    builder = asked(config, Bounds(page=2))
    snapshot = builder.snapshot()
    assert builder.problems == []
    assert set(snapshot.pods) == {f"ml/p{number}" for number in range(3)}
    assert {"Deployment/ml/vllm", "CronJob/ml/retrain"} <= set(snapshot.workloads)
    assert "trainer-was-in-a-hurry" in snapshot.cluster_role_bindings
    assert {gap.what for gap in snapshot.not_seen} == {"names and types of Secrets", "the cloud"}
    done = [e for e in events if e["stage"] == "ResponseComplete"]
    assert {e["requestURI"] for e in done if "objectRef" not in e} == {"/version"}
    seen = {(e["verb"], e["objectRef"]["resource"]) for e in done if "objectRef" in e}
    assert seen == {("list", resource.plural) for resource in RESOURCES}
    assert CANARY not in repr(snapshot)


def test_the_manifest_is_valid_and_gives_no_more_than_is_asked_for() -> None:
    for each in role():
        kubernetes_validate.validate(each, kubernetes_validate.latest_version(), strict=True)
    (rights,) = [each for each in role() if each["kind"] == "ClusterRole"]
    given = {
        (group, name) for rule in rights["rules"] for group in rule["apiGroups"] for name in rule["resources"]
    }
    assert given == {(resource.group, resource.plural) for resource in RESOURCES}
    assert {verb for rule in rights["rules"] for verb in rule["verbs"]} == {"list"}


@pytest.mark.parametrize("left_out", range(5))
def test_what_may_not_be_listed_is_named_and_the_rest_is_known(
    serve: Callable[..., Any], left_out: int
) -> None:
    rights = role()
    (own,) = [each for each in rights if each["kind"] == "ClusterRole"]
    gone = own["rules"].pop(left_out)["resources"]
    config, _ = serve(objects(), rights)
    snapshot = asked(config).snapshot()
    refused = [gap for gap in snapshot.not_seen if "(403)" in gap.what]
    assert len(refused) == len(gone)
    assert all(any(name in gap.why for gap in refused) for name in gone)
    assert bool(snapshot.pods) is ("pods" not in gone)


def test_who_may_list_one_namespace_sees_that_one(serve: Callable[..., Any]) -> None:
    rights = role()
    (binding,) = [each for each in rights if each["kind"] == "ClusterRoleBinding"]
    binding.update(kind="RoleBinding", metadata={"name": "own", "namespace": "ml"})
    config, _ = serve(objects(), rights)
    snapshot = asked(config, namespaces=("ml",)).snapshot()
    assert snapshot.pods
    assert {gap.what for gap in snapshot.not_seen} >= {"nodes", "namespaces"}
    with pytest.raises(NothingToReadError, match="let nothing be listed"):
        asked(config)


def test_files_folders_and_compressed_ones_are_read_by_what_is_in_them(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with gzip.open(tmp_path / "folder" / "a.txt.gz", "wb") as file:
        file.write((EXAMPLE / "cluster.yaml").read_bytes())
    listed = {"kind": "List", "apiVersion": "v1", "items": objects()}
    (tmp_path / "folder" / "b.log").write_text(json.dumps(listed, indent=4))
    (tmp_path / "folder" / "c.json").write_bytes((EXAMPLE / "cloud.json").read_bytes())
    (tmp_path / "folder" / "d.yaml").write_text("kind: Pod\nmetadata: {name: x}\nspec: [\n")
    (tmp_path / "folder" / "e").write_bytes(b"\x7fELF\x00\x00")
    builder = SnapshotBuilder()
    problems = read_paths(builder, [str(tmp_path / "folder"), str(tmp_path / "absent")])
    snapshot = builder.snapshot()
    assert len(snapshot.pods) == 3
    assert snapshot.cloud.given
    assert snapshot.secrets["ml/hub"].type == ""
    assert sorted(Path(p.file).name for p in [*problems, *builder.problems]) == ["absent", "d.yaml", "e"]
    assert CANARY not in repr(snapshot)


def test_yaml_larger_than_its_bound_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posture, "MAX_YAML_BYTES", 200_000)
    one = "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a%d}\n"
    (tmp_path / "big.yaml").write_text("".join(one % number for number in range(10_000)))
    builder = SnapshotBuilder()
    read_paths(builder, [str(tmp_path / "big.yaml")])
    assert 0 < len(builder.snapshot().service_accounts) < 10_000
    assert any("big.yaml" in gap.what for gap in builder.snapshot().not_seen)


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NothingToReadError):
        read_paths(SnapshotBuilder(), [str(tmp_path / "absent")])
