"""The patch that puts the sensor into a pod: pure, from the pod as it comes to admission to operations of RFC 6902.

Only who asks for it gets it, by a label or annotation of the pod. The patch adds, and changes one value at most: an
`LD_PRELOAD` that is there gets the sensor's file behind it. What cannot be done without touching something else is not
done, and the reason is told. To apply the patch and ask again gives an empty patch.

An init container copies the sensor into a folder of the pod that the others mount read-only. Its image is built for each
architecture and so runs on the node's own; the one file that is preloaded names no C library, and loads under glibc and
musl alike: nothing has to know here what an image holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from eightysix.gate.containers import Addition, Refused, additions
from eightysix.gate.parts import (
    CONTAINERS,
    EXCLUDE,
    INJECTED,
    INSTALLER,
    SENSOR,
    Options,
    entries,
    installer,
    is_shaped,
    mapping,
    text,
    volumes,
)
from eightysix.gate.withdrawal import workload_of

__all__ = ["Injection", "Options", "inject"]

ENABLED: Final = "enabled"
_MIRROR: Final = "kubernetes.io/config.mirror"
"""On pods of the API server that only show a static pod of a node: nothing that is patched there reaches the node."""

_FORBIDS_HOST_PATH: Final = frozenset({"baseline", "restricted"})
"""Pod Security levels whose policies allow no hostPath volume
(kubernetes.io/docs/concepts/security/pod-security-standards)."""


class Injection(Struct, frozen=True):
    """What is to be done with a pod. `patch` is empty where nothing is, and `reason` says why; `left_out` names containers
    that get no sensor, with the reason."""

    patch: tuple[Mapping[str, object], ...] = ()
    reason: str = ""
    left_out: Mapping[str, str] = {}


def inject(
    pod: Mapping[str, object],
    options: Options,
    *,
    namespace: str = "",
    pod_security: str = "",
    config_keys: Mapping[str, frozenset[str]] | None = None,
) -> Injection:
    """The patch for `pod`, any JSON object.

    `namespace` is the admission request's (that of the pod may be empty there), `pod_security` the level that the
    namespace enforces (label `pod-security.kubernetes.io/enforce`), `config_keys` the keys of the ConfigMaps that
    containers take their environment from, where somebody looked.
    """
    meta, spec = mapping(pod.get("metadata")), mapping(pod.get("spec"))
    reason = _refusal(pod, options, namespace or text(meta.get("namespace")), pod_security)
    if reason:
        return Injection(reason=reason)
    try:
        chosen, left_out = _chosen(meta, spec, options)
        found: list[Addition] = []
        for path, container in chosen:
            try:
                found.append(
                    additions(path, container, meta, config_keys or {}, csi=bool(options.csi_driver))
                )
            except Refused as refused:
                left_out[text(container.get("name"))] = str(refused)
        if not found:
            return Injection(reason="no container is left to inject", left_out=left_out)
        patch = [*_volumes(spec, options), *_installer(spec, options)]
        # The installer comes before the other init containers, so their places are one further on.
        moved = any(op["path"] == "/spec/initContainers/0" for op in patch)
        for each in found:
            patch += each.operations(moved=moved)
        patch += _mark(meta, options)
    except Refused as refused:
        return Injection(reason=str(refused))
    return Injection(tuple(patch), "" if patch else "it is injected already", left_out)


def _refusal(pod: Mapping[str, object], options: Options, namespace: str, pod_security: str) -> str:
    """Why the pod gets no sensor at all, empty where it does."""
    meta, spec = mapping(pod.get("metadata")), mapping(pod.get("spec"))
    labels, annotations = mapping(meta.get("labels")), mapping(meta.get("annotations"))
    asked = {text(source.get(SENSOR)) for source in (labels, annotations)} - {""}
    selector = mapping(spec.get("nodeSelector"))
    if text(pod.get("kind")) not in ("", "Pod") or not is_shaped(pod):
        return "this is no pod"
    if asked != {ENABLED}:
        return f"the pod does not ask for it: {SENSOR} is not {ENABLED!r} alone"
    if not namespace:
        return "the pod's namespace is not known"
    if namespace in options.never:
        return f"the namespace {namespace} never gets it"
    if _MIRROR in annotations:
        return "a static pod is not changed by a patch"
    if text(mapping(spec.get("os")).get("name")) == "windows" or "windows" in (
        text(selector.get("kubernetes.io/os")),
        text(selector.get("beta.kubernetes.io/os")),
    ):
        return "there is no sensor for Windows"
    if workload_of(pod, namespace) in options.withdrawn:
        return "it was withdrawn from this workload after containers ended again and again"
    if pod_security in _FORBIDS_HOST_PATH and not options.csi_driver:
        return (
            f"the namespace enforces the Pod Security level {pod_security}, which allows no hostPath volume: the API"
            " server would refuse the pod"
        )
    return ""


def _chosen(
    meta: Mapping[str, object], spec: Mapping[str, object], options: Options
) -> tuple[list[tuple[str, Mapping[str, object]]], dict[str, str]]:
    """The containers that get the sensor with their JSON pointers, and why others do not. Sidecars (init containers with
    `restartPolicy: Always`) count as containers; an init container that ends has to be named."""
    annotations = mapping(meta.get("annotations"))
    named = _names(annotations.get(CONTAINERS))
    excluded = _names(annotations.get(EXCLUDE)) | options.exclude
    chosen: list[tuple[str, Mapping[str, object]]] = []
    left_out: dict[str, str] = {}
    for field in ("initContainers", "containers"):
        for place, container in enumerate(entries(spec, field)):
            name = text(container.get("name"))
            ends = field == "initContainers" and container.get("restartPolicy") != "Always"
            if name == INSTALLER:
                continue
            if name in excluded and name not in named:
                left_out[name] = "it is excluded"
            elif named and name not in named:
                left_out[name] = f"{CONTAINERS} does not name it"
            elif ends and name not in named:
                left_out[name] = f"an init container gets it only where {CONTAINERS} names it"
            else:
                chosen.append((f"/spec/{field}/{place}", container))
    for container in entries(spec, "ephemeralContainers"):
        left_out[text(container.get("name"))] = "an ephemeral container is started without it"
    return chosen, left_out


def _names(value: object) -> frozenset[str]:
    return frozenset(name.strip() for name in text(value).split(",") if name.strip())


def _volumes(spec: Mapping[str, object], options: Options) -> list[Mapping[str, object]]:
    there = {text(volume.get("name")): volume for volume in entries(spec, "volumes")}
    missing = []
    for volume in volumes(options):
        known = there.get(text(volume["name"]))
        if known is None:
            missing.append(volume)
        elif not _holds(known, volume):
            raise Refused(f"the pod has another volume with the name {volume['name']}")
    if "volumes" not in spec or spec["volumes"] is None:
        return [{"op": "add", "path": "/spec/volumes", "value": missing}] if missing else []
    return [{"op": "add", "path": "/spec/volumes/-", "value": volume} for volume in missing]


def _installer(spec: Mapping[str, object], options: Options) -> list[Mapping[str, object]]:
    wanted = installer(options)
    for container in (*entries(spec, "initContainers"), *entries(spec, "containers")):
        if container.get("name") == INSTALLER:
            if _holds(container, wanted):
                return []
            raise Refused(f"the pod has another container with the name {INSTALLER}")
    if "initContainers" not in spec or spec["initContainers"] is None:
        return [{"op": "add", "path": "/spec/initContainers", "value": [wanted]}]
    return [{"op": "add", "path": "/spec/initContainers/0", "value": wanted}]


def _mark(meta: Mapping[str, object], options: Options) -> list[Mapping[str, object]]:
    """An annotation by which people and `withdrawn` know the pod; nothing here depends on it."""
    annotations = mapping(meta.get("annotations"))
    if annotations.get(INJECTED) == options.image:
        return []
    if meta.get("annotations") is None:
        return [{"op": "add", "path": "/metadata/annotations", "value": {INJECTED: options.image}}]
    name = INJECTED.replace("~", "~0").replace("/", "~1")
    return [{"op": "add", "path": f"/metadata/annotations/{name}", "value": options.image}]


def _holds(there: object, wanted: object) -> bool:
    """Whether all of `wanted` is there: the API server adds defaults to what it is given."""
    if isinstance(wanted, Mapping):
        return isinstance(there, Mapping) and all(
            name in there and _holds(there[name], value) for name, value in wanted.items()
        )
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        same = isinstance(there, Sequence) and len(there) >= len(wanted)
        return same and all(any(_holds(each, value) for each in there) for value in wanted)  # type: ignore[attr-defined]
    return there == wanted
