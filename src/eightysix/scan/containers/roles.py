"""What an archive is for, told from how its members are named to each other: the loaders go by the same names."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from eightysix.scan.containers.paths import parts_of

__all__ = ["Role", "Roles", "roles_of"]


class Role(StrEnum):
    """What an archive is for. All but `PACKAGE` and `PLAIN` are models: nobody expects programs in them."""

    TORCH = "torch"
    TORCHSCRIPT = "torchscript"
    EXPORT = "torch export"
    NUMPY = "numpy"
    KERAS = "keras"
    SKOPS = "skops"
    NEMO = "nemo"
    MAR = "torchserve"
    PACKAGE = "package"
    PLAIN = "plain"


_CONTEXTS = {Role.NUMPY: "numpy", Role.KERAS: "keras", Role.NEMO: "nemo"}


class Roles:
    """The role of one archive, and what each of its members is read for."""

    def __init__(self, role: Role, scripted: frozenset[str], torch: frozenset[str]) -> None:
        self.role = role
        self._scripted = scripted
        self._torch = torch

    @property
    def model(self) -> bool:
        """Whether code has no business in it."""
        return self.role not in (Role.PACKAGE, Role.PLAIN)

    @property
    def scripted(self) -> bool:
        """Whether there is TorchScript in it."""
        return bool(self._scripted)

    def context(self, name: str) -> str:
        """The context (see `Artifact`) of the member `name`."""
        root, base = _split(name)
        if base.endswith(("pkl", "debug_pkl")):
            if any(root == one or root.startswith(f"{one}/") or not one for one in self._scripted):
                return "torchscript"
            if base == "data.pkl" or root in self._torch:
                return "torch"
        if self.role is Role.TORCH:
            return "torch" if root in self._torch or not self._torch else ""
        return _CONTEXTS.get(self.role, "")

    def torchscript_code(self, name: str) -> bool:
        """Whether torch compiles the member `name` as TorchScript: it lies below `code` beside constants.pkl."""
        lowered = "/".join(parts_of(name.lower()))
        return lowered.endswith(".py") and any(
            lowered.startswith(f"{root}/code/" if root else "code/") for root in self._scripted
        )

    def storage(self, name: str) -> bool:
        """Whether the member `name` is numbers of a tensor to torch, which interprets none of it."""
        parts = parts_of(name.lower())
        if len(parts) < 2 or not parts[-1].isdigit() or parts[-2] not in {"data", "constants", "tensors"}:
            return False
        return "/".join(parts[:-2]) in self._torch


def _split(name: str) -> tuple[str, str]:
    parts = parts_of(name.lower())
    return "/".join(parts[:-1]), parts[-1] if parts else ""


def roles_of(names: Iterable[str]) -> Roles:
    """The roles for an archive with these members.

    Case does not count: torch's reader looks its records up without regard to it (miniz: `mz_zip_reader_locate_file`
    with no flags), and so does what unpacks onto a case-insensitive disk.
    """
    split = [_split(name) for name in names]
    by_base: dict[str, set[str]] = {}
    for root, base in split:
        if base in _TELLING:
            by_base.setdefault(base, set()).add(root)
    torch = frozenset(
        by_base.get("data.pkl", set())
        | by_base.get("bytecode.pkl", set())
        | by_base.get("constants.pkl", set())
    )
    scripted = frozenset(by_base.get("constants.pkl", set()) | by_base.get("bytecode.pkl", set()))
    return Roles(_role(split, by_base, torch & _marked(split), scripted), scripted, torch)


def _marked(split: list[tuple[str, str]]) -> set[str]:
    """Folders that hold what torch's writer puts beside data.pkl: a file of that name alone makes no model."""
    found: set[str] = set()
    for root, base in split:
        if base in ("version", "byteorder", ".format_version"):
            found.add(root)
        elif base.isdigit() and (root == "data" or root.endswith("/data")):
            found.add(root[:-5] if root != "data" else "")
    return found


_TELLING = frozenset(
    {
        *("data.pkl", "constants.pkl", "bytecode.pkl", "archive_format", "serialized_exported_program.json"),
        *(
            "schema.json",
            "config.json",
            "metadata.json",
            "model.weights.h5",
            "model_config.yaml",
            "manifest.json",
        ),
        *(
            "pickle",
            "storages",
            "tensors",
            "oci-layout",
            "kitfile",
            "wheel",
            "record",
            "pkg-info",
            "manifest.mf",
        ),
    }
)


def _role(
    split: list[tuple[str, str]],
    by_base: dict[str, set[str]],
    torch: frozenset[str],
    scripted: frozenset[str],
) -> Role:
    if _is_package(by_base):
        return Role.PACKAGE
    if scripted:
        return Role.TORCHSCRIPT
    if "mar-inf" in by_base.get("manifest.json", set()):
        return Role.MAR
    if "archive_format" in by_base or "serialized_exported_program.json" in by_base:
        return Role.EXPORT
    if torch or all("" in by_base.get(name, set()) for name in ("pickle", "storages", "tensors")):
        return Role.TORCH
    if "" in by_base.get("schema.json", set()):
        return Role.SKOPS
    keras = by_base.get("metadata.json", set()) | by_base.get("model.weights.h5", set())
    if "" in by_base.get("config.json", set()) and "" in keras:
        return Role.KERAS
    if "model_config.yaml" in by_base:
        return Role.NEMO
    if split and all(base.endswith(".npy") for _, base in split):
        return Role.NUMPY
    return Role.PLAIN


def _is_package(by_base: dict[str, set[str]]) -> bool:
    """A wheel, an egg, a jar or an image layout: programs are what it is for."""
    if any(
        root.endswith(".dist-info") for root in by_base.get("wheel", set()) | by_base.get("record", set())
    ):
        return True
    if any(
        root == "egg-info" or root.endswith((".egg-info", ".dist-info"))
        for root in by_base.get("pkg-info", set())
    ):
        return True
    return "meta-inf" in by_base.get("manifest.mf", set()) or "" in by_base.get("oci-layout", set())
