"""What is put into a pod for the sensor: names, volumes, the container that installs it; and how a pod's JSON is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

__all__ = [
    "CONTAINERS",
    "ENV_FROM",
    "EXCLUDE",
    "HOME",
    "IMAGE_PRELOAD",
    "INJECTED",
    "INSTALLER",
    "PRELOAD",
    "RUN",
    "SENSOR",
    "STATE",
    "UID",
    "Options",
    "entries",
    "installer",
    "is_shaped",
    "mapping",
    "mounts",
    "text",
    "volumes",
]

SENSOR: Final = "eightysix.dev/sensor"
"""Label or annotation of a pod: `enabled` asks for the sensor."""
CONTAINERS: Final = "eightysix.dev/sensor-containers"
"""Annotation: the containers that get it, separated by commas; all but init containers where it is absent."""
EXCLUDE: Final = "eightysix.dev/sensor-exclude"
"""Annotation: containers that do not."""
IMAGE_PRELOAD: Final = "eightysix.dev/image-preload"
"""Annotation: the `LD_PRELOAD` that images of the pod set themselves. A pod's environment replaces an image's, and no pod
says what is in an image."""
ENV_FROM: Final = "eightysix.dev/env-from-sets-no-preload"
"""Annotation, `true`: the Secrets and ConfigMaps that containers take their environment from hold no `LD_PRELOAD`."""
INJECTED: Final = "eightysix.dev/sensor-injected"
"""Annotation that the patch adds: the image of the sensor."""

INSTALLER: Final = "eightysix-sensor-install"
HOME: Final = "/opt/eightysix"
RUN: Final = "/run/eightysix"
STATE: Final = "/run/eightysix-state"
PRELOAD: Final = f"{HOME}/eightysix_preload.so"
UID: Final = "EIGHTYSIX_POD_UID"

_HOME_VOLUME: Final = "eightysix-sensor"
_RUN_VOLUME: Final = "eightysix-pods"
_STATE_VOLUME: Final = "eightysix-sensor-state"

_USER: Final = 65532
"""The user of the installing container: no name has it in common images, and it owns nothing."""


class Options(Struct, frozen=True):
    """How sensors are injected. `withdrawn` are the workloads (`gate.withdrawal.workload_of`) that get it no more;
    `csi_driver` names a driver for inline volumes that mounts a pod's own folder where hostPath is not allowed."""

    image: str
    pods: str = "/run/eightysix/pods"
    never: frozenset[str] = frozenset({"kube-system", "kube-public", "kube-node-lease", "eightysix"})
    exclude: frozenset[str] = frozenset({"istio-proxy", "linkerd-proxy"})
    withdrawn: frozenset[str] = frozenset()
    csi_driver: str = ""
    user: int | None = _USER
    """None where the platform chooses users itself (OpenShift)."""


def volumes(options: Options) -> list[dict[str, object]]:
    """The sensor's files, the pod's own folder of the node, and a place for the count of starts that did not end well."""
    run: dict[str, object] = {"name": _RUN_VOLUME}
    if options.csi_driver:
        run["csi"] = {"driver": options.csi_driver, "readOnly": True}
    else:
        run["hostPath"] = {"path": options.pods, "type": "DirectoryOrCreate"}
    return [
        {"name": _HOME_VOLUME, "emptyDir": {"sizeLimit": "32Mi"}},
        run,
        {"name": _STATE_VOLUME, "emptyDir": {"sizeLimit": "1Mi"}},
    ]


def mounts(*, csi: bool) -> list[dict[str, object]]:
    """What a container with the sensor mounts. Of the node's folder it sees the part with its own uid, which the kubelet
    makes, and may not write there."""
    run: dict[str, object] = {"name": _RUN_VOLUME, "mountPath": RUN, "readOnly": True}
    if not csi:
        run["subPathExpr"] = f"$({UID})"
    return [
        {"name": _HOME_VOLUME, "mountPath": HOME, "readOnly": True},
        run,
        {"name": _STATE_VOLUME, "mountPath": STATE},
    ]


def installer(options: Options) -> dict[str, object]:
    """The init container that copies the sensor. It mounts the pod's folder of the node too: so the kubelet makes that, and
    the receiver puts the socket in, while the image is still pulled."""
    context: dict[str, object] = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if options.user is not None:
        context["runAsUser"] = options.user
    run = mounts(csi=bool(options.csi_driver))[1]
    return {
        "name": INSTALLER,
        "image": options.image,
        "command": ["python", "-m", "eightysix_sensor", "install", HOME],
        "env": [{"name": UID, "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}],
        "volumeMounts": [{"name": _HOME_VOLUME, "mountPath": HOME}, run],
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"memory": "128Mi"},
        },
        "securityContext": context,
    }


def mapping(value: object) -> Mapping[str, object]:
    """`value` where it is an object, else an empty one: a pod that is none is the API server's to refuse."""
    return value if isinstance(value, Mapping) else {}


def entries(spec: Mapping[str, object], field: str) -> list[Mapping[str, object]]:
    """The objects of a list; places stay as they are."""
    value = spec.get(field)
    return [mapping(each) for each in value] if isinstance(value, list) else []


def is_shaped(pod: Mapping[str, object]) -> bool:
    """Whether lists and objects of `pod` are such where a patch goes: what is none the API server refuses anyway."""
    meta, spec = pod.get("metadata"), pod.get("spec")
    if not isinstance(meta, Mapping) or not isinstance(spec, Mapping) or not spec.get("containers"):
        return False
    if not all(isinstance(meta.get(name) or {}, Mapping) for name in ("labels", "annotations")):
        return False
    for name in ("volumes", "containers", "initContainers", "ephemeralContainers"):
        value = spec.get(name) or []
        if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
            return False
        for each in value:
            lists = [each.get(field) or [] for field in ("env", "envFrom", "volumeMounts")]
            if name != "volumes" and not all(isinstance(one, list) for one in lists):
                return False
    return True


def text(value: object) -> str:
    """`value` where it is text, else nothing."""
    return value if isinstance(value, str) else ""
