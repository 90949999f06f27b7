"""Delivery: what lands in pods and from where, who can replace it there, runners, and the runtime's socket.

The worm's loop: a pod's identity or key may push to a registry (`CAN_PUSH`), which replaces images by tag
(`REPLACES_ARTIFACT`), which other pods load (`LOADS_ARTIFACT`). An image that is pinned by digest is not replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eightysix.context.publishing import delivery_service
from eightysix.model.posture import Confidence, Credential, Edge
from eightysix.posture.domains import credentials
from eightysix.posture.edges.loads import loads
from eightysix.posture.edges.make import (
    NODE,
    artifact_id,
    edge,
    evidence_of,
    external_id,
    pull_id,
    push_id,
    weaker,
    write_id,
)
from eightysix.posture.edges.stores import containers, image_host, loads_from, pinned
from eightysix.posture.holder import Holder
from eightysix.posture.lookup import Lookup, lookup, text
from eightysix.posture.named import is_runner
from eightysix.posture.snapshot import Snapshot, Template
from eightysix.posture.vertices import node_id

__all__ = ["edges"]

_REGISTRY_SYSTEMS = frozenset(
    {"external:registry", "external:azurecr.io", "external:nvcr.io", "external:artifactory"}
)
_INSIDE = ("taskrun", "pipelinerun", "workflow", "tekton.dev", "argoproj", "buildkite", "jenkins")
"""Words of runners whose jobs come from objects of the cluster (who may make those, RBAC tells), or from a server whose
address no object has."""


def edges(snapshot: Snapshot, templates: Sequence[Template]) -> Iterator[Edge]:
    """Edges of all templates; who may push by a role of the cloud, `edges.cloud` tells."""
    known = lookup(snapshot)
    pulled = _pulled_with(known, templates)
    told: set[tuple[str, str]] = set()
    for template in templates:
        holder = Holder(template, known)
        for one in (*_images(holder), *_starts(holder), *_stores(holder)):
            if one.type == "LOADS_ARTIFACT":
                yield one
            elif (one.source, one.target) not in told:
                told.add((one.source, one.target))
                yield one
        yield from _credentials(holder, pulled)
        yield from _runner(holder)


def _images(holder: Holder) -> Iterator[Edge]:
    for path, container in containers(holder.template):
        image = container.image
        if not image:
            continue
        evidence = ((holder.object, f"{holder.at}.{path}.image"),)
        if pinned(image):
            continue
        target = artifact_id("image", image[:512])
        always = container.image_pull_policy == "Always" or (
            not container.image_pull_policy and _is_latest(image)
        )
        sure = Confidence.PROVED if always else Confidence.INFERRED
        needs = "" if always else "a node that has not pulled the tag yet"
        yield edge("REPLACES_ARTIFACT", push_id(image_host(image)), target, evidence)
        yield edge("LOADS_ARTIFACT", target, holder.vertex, evidence, sure, needs)


def _is_latest(image: str) -> bool:
    """Without a pull policy, `latest` and no tag are always pulled (kubernetes.io/docs/concepts/containers/images)."""
    head, colon, tag = image.rpartition(":")
    return not colon or "/" in tag or tag == "latest" or not head


def _starts(holder: Holder) -> Iterator[Edge]:
    """What commands install and which models servers fetch: an entry for whoever owns it, out there."""
    for path, container in containers(holder.template):
        for load in loads(container):
            evidence = ((holder.object, f"{holder.at}.{path}.{load.path}"),)
            source = artifact_id(load.kind, load.name)
            yield edge("LOADS_ARTIFACT", source, holder.vertex, evidence, load.confidence, load.needs)


def _stores(holder: Holder) -> Iterator[Edge]:
    for account, path in loads_from(holder.known.snapshot, holder.template):
        evidence = ((holder.object, f"{holder.at}.{path}"),)
        artifact = artifact_id("model", f"{account} (storage account)")
        yield edge("REPLACES_ARTIFACT", write_id(account), artifact, evidence, Confidence.INFERRED)
        needs = "what is loaded from there runs code"
        yield edge("LOADS_ARTIFACT", artifact, holder.vertex, evidence, Confidence.INFERRED, needs)


def _pulled_with(known: Lookup, templates: Sequence[Template]) -> dict[str, dict[str, None]]:
    """Registries by the Secret that something is pulled from them with."""
    found: dict[str, dict[str, None]] = {}
    for template in templates:
        for credential in credentials(template, known.snapshot):
            if credential.signal == "image-pull-secret":
                hosts = found.setdefault(f"{template.namespace}/{credential.name}", {})
                hosts.update((image_host(each.image), None) for _, each in containers(template) if each.image)
    return found


def _credentials(holder: Holder, pulled: dict[str, dict[str, None]]) -> Iterator[Edge]:
    for credential in credentials(holder.template, holder.known.snapshot):
        if credential.domain != "delivery":
            continue
        evidence, sure = evidence_of(credential), credential.confidence
        if credential.signal == "runtime-socket":
            for node in holder.template.nodes:
                yield edge("DOCKER_SOCK", holder.vertex, node_id(node), evidence, sure)
            yield edge("DOCKER_SOCK", holder.vertex, NODE, evidence, sure)
        elif credential.signal == "image-pull-secret":
            for host in pulled.get(f"{holder.namespace}/{credential.name}", ()):
                yield edge("PULLS_FROM", holder.vertex, pull_id(host), evidence, sure)
        elif credential.signal == "registry-secret" or credential.target in _REGISTRY_SYSTEMS:
            yield from _pushes(holder, credential, pulled)
        elif credential.target.startswith("external:"):
            yield edge("HAS_CRED_CICD", holder.vertex, credential.target, evidence, sure)


def _pushes(holder: Holder, credential: Credential, pulled: dict[str, dict[str, None]]) -> Iterator[Edge]:
    """A login to a registry that is in the pod: to those that the container names, or that the Secret pulls from. Whether it
    may push, only its owner knows."""
    evidence = evidence_of(credential)
    hosts = dict.fromkeys(pulled.get(f"{holder.namespace}/{credential.name}", ()))
    for _, container in containers(holder.template):
        words = [*(container.command or ()), *(container.args or ())]
        words += [variable.value or "" for variable in container.env or ()]
        for word in words:
            host = _registry_in(word)
            if host:
                hosts[host] = None
    for host in hosts:
        sure = weaker(credential.confidence, Confidence.ASSUMED)
        yield edge("CAN_PUSH", holder.vertex, push_id(host), evidence, sure, "the login may push")
    if not hosts:
        target = credential.target if credential.target.startswith("external:") else external_id("registry")
        yield edge("HAS_CRED_CICD", holder.vertex, target, evidence, credential.confidence)


def _registry_in(word: str) -> str:
    """The registry in `--destination=HOST/...` or a plain reference; empty for anything else."""
    told = word[:1024].rpartition("=")[2].removeprefix("https://").removeprefix("docker://").partition("/")[0]
    host = told.lower()
    return host if delivery_service(host) == "registry" else ""


def _runner(holder: Holder) -> Iterator[Edge]:
    """Whoever writes to the repositories of a forge says what its runners run."""
    path = is_runner(holder)
    if not path:
        return
    forge = _forge(holder, path)
    if forge:
        yield edge(
            "RUNNER_JOB_EXEC",
            external_id(forge),
            holder.vertex,
            ((holder.object, path),),
            Confidence.ASSUMED,
            "the credential may write to a repository that this runner serves",
        )


def _forge(holder: Holder, path: str) -> str:
    """The forge that a runner takes jobs from; empty for workflows that start from within the cluster."""
    template = holder.template
    images = " ".join(container.image for _, container in containers(template))[:4096]
    told = f"{path} {template.kind} {images}".lower()
    if any(word in told for word in _INSIDE):
        return ""
    if "gitlab" in told:
        return "gitlab.com"
    for item in holder.known.snapshot.custom.get("AutoscalingRunnerSet", ()):
        where = text(item, "metadata", "namespace"), text(item, "metadata", "name")
        if where == (holder.namespace, template.name):
            url = text(item, "spec", "githubConfigUrl").removeprefix("https://")
            return url.partition("/")[0].lower() or "github.com"
    return "github.com"
