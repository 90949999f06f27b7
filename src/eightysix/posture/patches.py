"""JSON patches (RFC 6902) that undo what evidence points at, by its path in the object."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["operations"]

_SWITCHES = frozenset({"privileged", "hostPID", "hostIPC", "hostNetwork", "allowPrivilegeEscalation"})
_REMOVED = frozenset({"env", "envFrom", "imagePullSecrets", "add"})


def _parts(path: str) -> list[str] | None:
    """The members of `a.b[3].c`; none where a path says more than that."""
    found: list[str] = []
    for member in path.split("."):
        name, bracket, rest = member.partition("[")
        if not name or not name.isalnum() or not name.isascii():
            return None
        found.append(name)
        if bracket:
            if not rest.endswith("]") or not rest[:-1].isdecimal() or not rest.isascii() or len(rest) > 6:
                return None
            found.append(rest[:-1])
    return found


def operations(paths: Iterable[str]) -> list[dict[str, object]] | None:
    """Operations (RFC 6902) that undo what stands at `paths`, the last of a list first; none if one is not understood."""
    switched: list[dict[str, object]] = []
    removed: dict[tuple[str, ...], tuple[int, ...]] = {}
    for parts in sorted({tuple(_parts(path) or ()) for path in paths}):
        pointer = "/" + "/".join(parts)
        if parts and parts[-1] in _SWITCHES:
            switched.append({"op": "test", "path": pointer, "value": True})
            switched.append({"op": "replace", "path": pointer, "value": False})
        elif "volumes" in parts and parts.index("volumes") + 1 < len(parts):
            end = parts.index("volumes") + 2
            if len(parts) > end and parts[end] != "hostPath":
                return None
            volume = "/" + "/".join(parts[:end])
            changes: tuple[dict[str, object], ...] = (
                {"op": "remove", "path": f"{volume}/hostPath"},
                {"op": "add", "path": f"{volume}/emptyDir", "value": {}},
            )
            switched.extend(change for change in changes if change not in switched)
        else:
            at = max(
                (at for at, part in enumerate(parts[:-1]) if part in _REMOVED and parts[at + 1].isdecimal()),
                default=-1,
            )
            if at < 0:
                return None
            entry = parts[: at + 2]
            removed[entry] = tuple(int(part) for part in entry if part.isdecimal())
    last_first = sorted(removed, key=lambda entry: (removed[entry], entry), reverse=True)
    gone: list[dict[str, object]] = [{"op": "remove", "path": "/" + "/".join(entry)} for entry in last_first]
    return [*switched, *gone]
