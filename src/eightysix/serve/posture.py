"""What a posture is made of, read: files and folders of objects, manifests, answers of `az`, or a live cluster.

A live cluster is asked for its version and for lists, and not for Secrets unless somebody asks for their types: who may list
them may read them. What it refuses is told, and everything else goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, Final

from msgspec import Struct

from eightysix.model.errors import ClusterError, NothingToReadError
from eightysix.model.incident import Problem
from eightysix.posture.reading import MAX_PROBLEMS, SnapshotBuilder
from eightysix.serve.cluster.client import ClusterClient, Listed, Refused, Resource
from eightysix.serve.cluster.secrets import secrets_of
from eightysix.serve.posturelogs import LogReader
from eightysix.sources.decompress import Limits
from eightysix.sources.reading import Block, read_inputs

__all__ = ["LIMITS", "MAX_YAML_BYTES", "RESOURCES", "Collected", "collect", "read_paths"]

LIMITS: Final = Limits(record_bytes=64 << 20, decompressed_bytes=4 << 30)
"""As for an inventory: a list on one line is one record; over several lines each object is one of its own."""

MAX_YAML_BYTES: Final = 32 << 20
"""Largest file of YAML. The largest rendered charts have 2 MB; lists of a cluster are asked for as JSON."""

_PACKED: Final = (".gz", ".zst", ".xz", ".bz2")
_OF_OBJECTS: Final = (".yaml", ".yml", ".json", ".jsonl", ".ndjson")
_WORDS: Final = (b"apiVersion", b'"kind"', b'"principalId"', b'"resourceGroup"')
"""What files of objects are called, and words that are in those of any name."""

_RBAC = "rbac.authorization.k8s.io"
RESOURCES: Final = (
    Resource("Namespace", "namespaces", namespaced=False),
    Resource("Node", "nodes", namespaced=False),
    Resource("ServiceAccount", "serviceaccounts"),
    Resource("ClusterRole", "clusterroles", _RBAC, namespaced=False),
    Resource("ClusterRoleBinding", "clusterrolebindings", _RBAC, namespaced=False),
    Resource("Role", "roles", _RBAC),
    Resource("RoleBinding", "rolebindings", _RBAC),
    Resource("NetworkPolicy", "networkpolicies", "networking.k8s.io"),
    Resource("Deployment", "deployments", "apps"),
    Resource("StatefulSet", "statefulsets", "apps"),
    Resource("DaemonSet", "daemonsets", "apps"),
    Resource("ReplicaSet", "replicasets", "apps"),
    Resource("Job", "jobs", "batch"),
    Resource("CronJob", "cronjobs", "batch"),
    Resource("PersistentVolume", "persistentvolumes", namespaced=False),
    Resource("SecretProviderClass", "secretproviderclasses", "secrets-store.csi.x-k8s.io"),
    Resource("AzureIdentity", "azureidentities", "aadpodidentity.k8s.io"),
    Resource("AzureIdentityBinding", "azureidentitybindings", "aadpodidentity.k8s.io"),
    Resource("AutoscalingRunnerSet", "autoscalingrunnersets", "actions.github.com", "v1alpha1"),
    Resource("InferenceService", "inferenceservices", "serving.kserve.io", "v1beta1"),
    Resource("RayCluster", "rayclusters", "ray.io"),
    Resource("RayService", "rayservices", "ray.io"),
    Resource("RayJob", "rayjobs", "ray.io"),
    Resource("CronWorkflow", "cronworkflows", "argoproj.io", "v1alpha1"),
    Resource("WorkflowTemplate", "workflowtemplates", "argoproj.io", "v1alpha1"),
    Resource("PyTorchJob", "pytorchjobs", "kubeflow.org"),
    Resource("MPIJob", "mpijobs", "kubeflow.org", "v2beta1"),
    Resource("Pod", "pods"),
)
"""What is listed. Pods come last: what is younger than the list of its owners is grouped by its owner's name."""

_OPTIONAL: Final = frozenset(
    {
        "secrets-store.csi.x-k8s.io",
        "aadpodidentity.k8s.io",
        "actions.github.com",
        "serving.kserve.io",
        "ray.io",
        "argoproj.io",
        "kubeflow.org",
    }
)
"""Groups of what is not installed everywhere; their absence is no gap."""


class Collected(Struct):
    """What came of asking a cluster."""

    lists: list[Listed]
    gaps: int = 0


def read_paths(
    builder: SnapshotBuilder,
    paths: Sequence[str],
    *,
    stdin: BinaryIO | None = None,
    logs: LogReader | None = None,
) -> list[Problem]:
    """Take files and folders into `builder`; problems of files are given, those of objects are the builder's. JSON and
    YAML are told apart by how a file begins; files of logs go to `logs`. Raises `NothingToReadError` where not one could be
    opened."""
    problems: list[Problem] = []

    def note(problem: Problem) -> None:
        if problem.file not in paths and problem.kind != "oversized" and _is_page(problem.file):
            return
        if len(problems) < MAX_PROBLEMS:
            problems.append(problem)

    yaml = _Yaml(builder)
    known, is_yaml, is_log = None, False, False
    named = frozenset(paths)
    for block in _blocks(paths, stdin, note):
        if block.file != known:
            yaml.end()
            known = block.file
            begun = block.data.lstrip(b"\xef\xbb\xbf \t\r\n")
            is_yaml = begun[:1] not in (b"{", b"[") or begun[:2] == b"{{"
            is_log = logs is not None and not is_yaml and logs.knows(block)
            builder.passing = block.file not in named and _is_something_else(block)
        if is_log and logs is not None:
            logs.take(block)
        elif is_yaml:
            yaml.take(block)
        else:
            builder.take(block.data, block.file, block.first_line)
    yaml.end()
    builder.passing = False
    return problems


def _blocks(paths: Sequence[str], stdin: BinaryIO | None, note: Callable[[Problem], None]) -> Iterator[Block]:
    try:
        yield from read_inputs(paths, stdin, LIMITS, note)
    except NothingToReadError as error:
        advice = "Name files or folders with objects of Kubernetes or answers of az, or - for standard input."
        raise NothingToReadError(error.what, advice) from error


def _is_page(file: str) -> bool:
    """Whether a file is something else altogether by its name: a picture, a page, a script."""
    name = file.rpartition("/")[2].lower()
    return "." in name.lstrip(".") and not name.endswith((*_OF_OBJECTS, *_PACKED, ".txt", ".log", ".out"))


def _is_something_else(block: Block) -> bool:
    """Whether a file of a folder is none of objects, by its name and by how it begins: a licence, a page, a script."""
    name = block.file.rpartition("/")[2].lower()
    for packed in _PACKED:
        name = name.removesuffix(packed)
    return not name.endswith(_OF_OBJECTS) and not any(word in block.data for word in _WORDS)


class _Yaml:
    """One file of YAML after the other, each whole."""

    def __init__(self, builder: SnapshotBuilder) -> None:
        self._builder = builder
        self._parts: list[bytes] = []
        self._file, self._line, self._size = "", 1, 0

    def take(self, block: Block) -> None:
        if not self._parts:
            self._file, self._line = block.file, block.first_line
        self._size += len(block.data)
        if self._size <= MAX_YAML_BYTES:
            self._parts.append(block.data)

    def end(self) -> None:
        if self._size > MAX_YAML_BYTES:
            what = f"{self._file}, of which the first {MAX_YAML_BYTES >> 20} MiB are read"
            self._builder.gap(what, "what comes after them is missing", "cut it, or give JSON")
        if self._parts:
            self._builder.take_yaml(b"".join(self._parts), self._file, self._line)
        self._parts, self._size = [], 0


def collect(
    builder: SnapshotBuilder, client: ClusterClient, namespaces: Sequence[str] = (), *, secrets: bool = False
) -> Collected:
    """Ask a cluster; what it refuses is a gap of `builder`. `namespaces` are asked for one by one where the whole cluster may
    not be listed. With `secrets` names and types of Secrets are asked for too. Raises `ClusterError` where the cluster cannot
    be asked at all."""
    done = Collected([])
    name = client.config.name or client.config.server
    told = client.version()
    builder.server = builder.server or told
    if not builder.server:
        builder.gap(
            "the version of the API server",
            "what differs between versions is taken as in the newest",
            "--server-version 1.NN",
        )
    for resource in RESOURCES:
        whole = True
        for namespace in namespaces if namespaces and resource.namespaced else ("",):
            listed = Listed(resource)
            done.lists.append(listed)
            for page in client.list(resource, listed, namespace):
                builder.take_items(resource.kind, resource.group, page.items, f"{name}/{resource.plural}")
            optional = resource.group in _OPTIONAL and (listed.absent or "(403)" in listed.gap)
            if listed.gap and not optional:
                whole = False
                done.gaps += 1
                builder.gap(
                    listed.gap,
                    f"what its {resource.plural} would tell is missing",
                    "kubectl apply -f deploy/cluster/posture.yaml",
                )
        if whole:
            builder.given(resource.kind)
    if secrets:
        _secrets(builder, client, namespaces or builder.namespaces(), name)
    if not any(listed.items for listed in done.lists):
        raise NothingToReadError(
            f"{name} let nothing be listed", "Give the account the role in deploy/cluster/posture.yaml."
        )
    return done


def _secrets(builder: SnapshotBuilder, client: ClusterClient, namespaces: Sequence[str], name: str) -> None:
    """Names and types of Secrets, by namespace; the first refusal ends it where nothing may be seen anyway."""
    refused: dict[str, str] = {}
    for namespace in namespaces:
        try:
            for page in secrets_of(client, namespace):
                builder.take_items("Secret", "", page, f"{name}/secrets")
        except Refused as failed:
            refused[namespace] = failed.why
        except ClusterError as error:
            refused[namespace] = error.what
            break
    if refused:
        first = next(iter(refused))
        builder.gap(
            f"Secrets of {len(refused)} of {len(namespaces)} namespaces ({first[:253]}: {refused[first]})",
            "their types are unknown",
            "whoever may list Secrets may read them: ask with other credentials, or do without",
        )
