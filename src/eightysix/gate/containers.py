"""What one container needs for the sensor: environment and mounts, beside what it has."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from eightysix.gate.parts import (
    ENV_FROM,
    HOME,
    IMAGE_PRELOAD,
    PRELOAD,
    RUN,
    STATE,
    UID,
    entries,
    mapping,
    mounts,
    text,
)

__all__ = ["Addition", "Refused", "additions"]

_LD = "LD_PRELOAD"
_DISABLE = "EIGHTYSIX_SENSOR_DISABLE"


class Refused(Exception):  # noqa: N818 - no error: the answer to a pod that cannot be changed safely
    """A pod or container cannot get the sensor without something else being touched."""


class Addition(Struct, frozen=True):
    """What is added to the container at the JSON pointer `path`. `had` are the fields that the container has as lists;
    `preload` is the place and value of an `LD_PRELOAD` that gets the sensor's file behind it."""

    path: str
    had: frozenset[str]
    env: tuple[Mapping[str, object], ...]
    mounts: tuple[Mapping[str, object], ...]
    preload: tuple[int, str, str] | None

    def operations(self, *, moved: bool) -> list[Mapping[str, object]]:
        """The operations; `moved` tells that an init container was put before the others."""
        path = self.path
        if moved and path.startswith("/spec/initContainers/"):
            path = f"/spec/initContainers/{int(path.rpartition('/')[2]) + 1}"
        found: list[Mapping[str, object]] = []
        if self.preload is not None:
            place, before, after = self.preload
            value = f"{path}/env/{place}/value"
            found += [{"op": "test", "path": value, "value": before}] if before else []
            found.append({"op": "add", "path": value, "value": after})
        for field, values in (("env", self.env), ("volumeMounts", self.mounts)):
            if not values:
                continue
            if field in self.had:
                found += [{"op": "add", "path": f"{path}/{field}/-", "value": value} for value in values]
            else:
                found.append({"op": "add", "path": f"{path}/{field}", "value": list(values)})
        return found


def additions(
    path: str,
    container: Mapping[str, object],
    meta: Mapping[str, object],
    config_keys: Mapping[str, frozenset[str]],
    *,
    csi: bool = False,
) -> Addition:
    """What `container` lacks; raises `Refused` where it cannot be given."""
    annotations = mapping(meta.get("annotations"))
    # Of two entries with one name the last counts (kubelet: environment is a map).
    env = {text(each.get("name")): (place, each) for place, each in enumerate(entries(container, "env"))}
    wanted = _environment(text(container.get("name")))
    _check_sensor(env, wanted)
    new: list[Mapping[str, object]] = [value for name, value in wanted.items() if name not in env]
    preload = None
    if _LD in env:
        preload = _behind(*env[_LD])
    else:
        _check_env_from(container, annotations, config_keys)
        first = text(annotations.get(IMAGE_PRELOAD)).strip()
        new.append({"name": _LD, "value": _joined(first)})
    return Addition(
        path,
        frozenset(field for field in ("env", "volumeMounts") if isinstance(container.get(field), list)),
        tuple(new),
        tuple(_mounts(container, csi=csi)),
        preload,
    )


def _environment(name: str) -> dict[str, Mapping[str, object]]:
    """The variables of the sensor. The uid comes first: the mount of the pod's folder is named by it."""
    values = {
        "EIGHTYSIX_SENSOR": f"unix:{RUN}/s.sock",
        "EIGHTYSIX_SENSOR_HOME": HOME,
        "EIGHTYSIX_SENSOR_STATE": STATE,
        "EIGHTYSIX_SENSOR_CONTAINER": name,
    }
    uid: dict[str, Mapping[str, object]] = {
        UID: {"name": UID, "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}
    }
    return uid | {name: {"name": name, "value": value} for name, value in values.items()}


def _check_sensor(
    env: Mapping[str, tuple[int, Mapping[str, object]]], wanted: Mapping[str, Mapping[str, object]]
) -> None:
    if _DISABLE in env:
        raise Refused(f"its environment sets {_DISABLE}")
    for name, value in wanted.items():
        known = env.get(name)
        if known is None:
            continue
        if "value" in value:
            same = known[1].get("value") == value["value"]
        else:
            field = mapping(mapping(known[1].get("valueFrom")).get("fieldRef"))
            same = field.get("fieldPath") == "metadata.uid"
        if not same:
            raise Refused(f"its environment sets {name} to something else")


def _behind(place: int, entry: Mapping[str, object]) -> tuple[int, str, str] | None:
    """The place, old and new value of `LD_PRELOAD`; None where the sensor's file is in it."""
    if entry.get("valueFrom") is not None:
        raise Refused(f"its {_LD} comes from elsewhere (valueFrom), and nothing can be put behind that")
    value = text(entry.get("value"))
    if PRELOAD in value.replace(":", " ").split():
        return None
    return place, value, _joined(value)


def _joined(before: str) -> str:
    """The sensor's file behind what is there: ld.so(8) takes blanks and colons."""
    return f"{before}{' ' if ' ' in before else ':'}{PRELOAD}" if before.strip() else PRELOAD


def _check_env_from(
    container: Mapping[str, object],
    annotations: Mapping[str, object],
    config_keys: Mapping[str, frozenset[str]],
) -> None:
    """An `LD_PRELOAD` out of `envFrom` would be replaced by one in `env`. Of Secrets nobody looks what is in them."""
    if text(annotations.get(ENV_FROM)) == "true":
        return
    for source in entries(container, "envFrom"):
        prefix = text(source.get("prefix"))
        if prefix and not _LD.startswith(prefix):
            continue
        name = text(mapping(source.get("configMapRef")).get("name"))
        keys = config_keys.get(name) if name else None
        if keys is None:
            what = f"the ConfigMap {name}" if name else "a Secret"
            raise Refused(
                f"it takes its environment from {what}, which may set {_LD}; if not, annotate {ENV_FROM}: 'true'"
            )
        if any(f"{prefix}{key}" == _LD for key in keys):
            raise Refused(f"its {_LD} comes from the ConfigMap {name}, and nothing can be put behind that")


def _mounts(container: Mapping[str, object], *, csi: bool) -> list[Mapping[str, object]]:
    there = {_plain(text(each.get("mountPath"))): each for each in entries(container, "volumeMounts")}
    missing: list[Mapping[str, object]] = []
    for mount in mounts(csi=csi):
        path = text(mount["mountPath"])
        known = there.get(path)
        if known is None:
            missing.append(mount)
        elif any(known.get(name) != value for name, value in mount.items()):
            raise Refused(f"it mounts something else at {path}")
        for other, each in there.items():
            if other.startswith(f"{path}/"):
                raise Refused(f"it mounts something at {other}, inside of {path}")
            if path.startswith(other.rstrip("/") + "/") and each.get("readOnly") is True:
                raise Refused(f"it mounts {other} read-only, and {path} cannot be made in it")
    return missing


def _plain(path: str) -> str:
    """A mount's path as the runtime takes it: `/var/run` is `/run` in all common images."""
    plain = "/" + "/".join(part for part in path.split("/") if part not in ("", "."))
    return plain.removeprefix("/var") if plain == "/var/run" or plain.startswith("/var/run/") else plain
