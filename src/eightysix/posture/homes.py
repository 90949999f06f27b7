"""In which namespace objects are that do not say it.

`helm template` leaves `metadata.namespace` out where a chart does not write it, and writes the namespace of the release into
the subjects of its bindings all the same. Taken as `default`, such an account is another one than the binding names, and its
rights are lost. So what bindings call an account of these files says where the files belong: looked for in the object's own
file, then in the folders around it. Where they name several namespaces, each object goes where its own account is named, and
the rest is `default`, as for `kubectl`. Objects with a uid are from a server: what has no namespace there needs none.

While files are read, a missing namespace is a mark of its file; `settle` puts the names in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Final, NamedTuple

from msgspec import Struct, field, structs

from eightysix.model.posture import NotSeen
from eightysix.posture.objects import Binding, Pod, PodSpec, ServiceAccount, Workload

__all__ = ["DEFAULT", "Homes"]

DEFAULT: Final = "default"
"""What kubectl and helm take where nothing says more."""

MAX_LEVELS: Final = 6
"""Folders around a file that are looked at: `helm template --output-dir` makes four."""

MAX_TOLD: Final = 20
"""Namespaces that are told one by one."""

_BINDINGS: Final = {"role_bindings": "RoleBinding", "cluster_role_bindings": "ClusterRoleBinding"}
_NAMED: Final = {
    "pods": ("Pod",),
    "roles": ("Role",),
    "role_bindings": ("RoleBinding",),
    "service_accounts": ("ServiceAccount",),
    "secrets": ("Secret",),
    "network_policies": ("NetworkPolicy",),
}
"""Kinds of what is kept by name alone, as places name it."""


Objects = dict[str, dict[str, Any]]
Places = dict[str, tuple[str, int]]


class _Loose(NamedTuple):
    """An object without a namespace: where it is kept, its file, and accounts that are in its namespace."""

    where: str
    key: str
    mark: str
    file: str
    accounts: tuple[str, ...]


class Homes(Struct):
    """Marks of files. `chosen` is what somebody said to take for every object that names none."""

    chosen: str = ""
    _files: dict[str, str] = field(default_factory=dict)
    _marks: dict[str, str] = field(default_factory=dict)

    def missing(self, file: str | None) -> str:
        """What stands for the namespace of an object of this file that names none."""
        if self.chosen or file is None:
            return self.chosen or DEFAULT
        mark = self._marks.get(file)
        if mark is None:
            mark = self._marks[file] = f"\0{len(self._marks)}\0"
            self._files[mark] = file
        return mark

    def settle(
        self, objects: Objects, places: Places, rank: Callable[[Any], tuple[int, bytes]]
    ) -> Iterator[NotSeen]:
        """Put a namespace in place of every mark, and tell what was not plain. Of two objects that get one name the later
        by `rank` stays."""
        loose = list(self._loose(objects)) if self._files else []
        if not loose:
            return
        said = _Said(objects, places, loose)
        told: dict[tuple[str, str], dict[str, int]] = {}
        for one in loose:
            home, why = said.home(one)
            _move(objects, places, one, home, rank)
            if why:
                files = told.setdefault((home, why), {})
                files[one.file] = files.get(one.file, 0) + 1
        rows = sorted(told.items())
        for (home, why), files in rows[:MAX_TOLD]:
            count, first = sum(files.values()), min(files)
            others = f" and {len(files) - 1} more files" if len(files) > 1 else ""
            what = f"the namespace of {count} object{'s' if count > 1 else ''} of {first[:253]}{others}"
            yield NotSeen(what, f"taken as {home[:253]}: {why}", "--namespace NAME says which it is")
        if len(rows) > MAX_TOLD:
            yield NotSeen(
                f"the namespaces of objects of {len(rows) - MAX_TOLD} more kinds", "the list is cut"
            )
        self._files.clear()
        self._marks.clear()

    def _loose(self, objects: Objects) -> Iterator[_Loose]:
        for where, kept in objects.items():
            for key, found in kept.items():
                mark = _namespace(found)
                file = self._files.get(mark)
                if file is not None:
                    yield _Loose(where, key, mark, file, _accounts(found))


def _namespace(found: Any) -> str:
    return str(found["metadata"]["namespace"]) if isinstance(found, dict) else found.metadata.namespace


def _accounts(found: Any) -> tuple[str, ...]:
    """Accounts that have to be in an object's namespace: an account itself, those of pods."""
    if isinstance(found, ServiceAccount):
        return (found.metadata.name,)
    if isinstance(found, Pod):
        return (account_named(found.spec),)
    if isinstance(found, Workload):
        template = found.template
        specs = [*([template[1]] if template else ()), *(made.spec for made in found.made)]
        return tuple(dict.fromkeys(account_named(spec) for spec in specs))
    return ()


def account_named(spec: PodSpec) -> str:
    """The name of the account of pods of this specification."""
    return spec.service_account_name or spec.service_account or "default"


def _around(file: str) -> Iterator[str]:
    """A file, and the folders around it, the nearest first. A folder is told by the slash at its end, the one that names
    without a folder are in by nothing."""
    yield file
    folder = file
    for _ in range(MAX_LEVELS):
        folder = folder.rstrip("/").rpartition("/")[0]
        yield f"{folder}/" if folder else ""
        if not folder:
            return


class _Said:
    """What bindings say of the accounts of each file and folder."""

    def __init__(self, objects: Objects, places: Places, loose: Iterable[_Loose]) -> None:
        self._names: dict[str, set[str]] = {}
        for one in loose:
            for level in _around(one.file) if one.accounts else ():
                self._names.setdefault(level, set()).update(one.accounts)
        self._spaces: dict[str, dict[str, set[str]]] = {}
        self._strange: dict[str, set[str]] = {}
        self._own: dict[tuple[str, str], tuple[str, ...]] = {}
        there = {key for key in objects.get("service_accounts", ()) if "\0" not in key}
        for where, kind in _BINDINGS.items():
            for key, binding in objects.get(where, {}).items():
                place = places.get(f"{kind}/{key}")
                if place is not None:
                    self._own[where, key] = tuple(self._heard(binding, place[0], there))

    def _heard(self, binding: Binding, file: str, there: Collection[str]) -> Iterator[str]:
        """Note where a binding says that accounts are; given are those of these files."""
        for subject in binding.subjects or ():
            if subject.kind != "ServiceAccount" or not subject.namespace:
                continue
            known = False
            for level in _around(file):
                if subject.name in self._names.get(level, ()):
                    known = True
                    spaces = self._spaces.setdefault(level, {}).setdefault(subject.name, set())
                    spaces.add(subject.namespace)
            if known:
                yield subject.name
            elif f"{subject.namespace}/{subject.name}" not in there:
                self._strange.setdefault(file, set()).add(subject.namespace)

    def home(self, one: _Loose) -> tuple[str, str]:
        """The namespace of an object, and why where it is not plain."""
        accounts = one.accounts or self._own.get((one.where, one.key), ())
        for level in _around(one.file):
            spaces = self._spaces.get(level)
            if spaces is None:
                continue
            mine = set().union(*(spaces.get(name, ()) for name in accounts))
            every = set().union(*spaces.values())
            if len(mine) == 1 or len(every) == 1:
                home = (mine if len(mine) == 1 else every).pop()
                return home, "" if home == DEFAULT else "bindings say that their accounts are there"
            if every:
                names = ", ".join(sorted(name[:64] for name in every)[:4])
                return DEFAULT, f"bindings name accounts of theirs in several ({names})"
        strange = self._strange.get(one.file, set()) - {DEFAULT}
        if strange:
            names = ", ".join(sorted(name[:64] for name in strange)[:4])
            return DEFAULT, f"bindings beside them name accounts in {names} that are not given"
        return DEFAULT, ""


def _move(
    objects: Objects, places: Places, one: _Loose, home: str, rank: Callable[[Any], tuple[int, bytes]]
) -> None:
    kept = objects[one.where]
    found = kept.pop(one.key)
    head, _, name = one.key.partition(f"{one.mark}/")
    key = f"{head}{home}/{name}"
    if isinstance(found, dict):
        found = {**found, "metadata": {**found["metadata"], "namespace": home}}
    else:
        found = structs.replace(found, metadata=structs.replace(found.metadata, namespace=home))
    before = kept.get(key)
    stays = before is not None and rank(found) <= rank(before)
    if not stays:
        kept[key] = found
    for old in [f"{kind}/{one.key}" for kind in _NAMED.get(one.where, ("",))]:
        place = places.pop(old.lstrip("/"), None)
        if place is not None and not stays:
            places[old.lstrip("/").replace(f"{one.mark}/", f"{home}/", 1)] = place
