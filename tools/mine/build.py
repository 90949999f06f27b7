"""Mine every pinned release and write the index: `python -m tools.mine.build CACHE`.

Libraries are solved one after another, those that others call first; of a library with several releases the newest
comes last and stays, for the libraries after it to call. A name that releases disagree about gets the role that allows
less.
"""

from __future__ import annotations

import argparse
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from eightysix.scan.index.role import Role, RoleKind
from tools.mine import collect
from tools.mine.fetch import Pin, read_pins
from tools.mine.judge import ReleaseRoles, roles_of
from tools.mine.pack import worse, write
from tools.mine.reviewed import Entry, read_reviewed
from tools.mine.solver import Library, World

DATA = Path(__file__).parents[2] / "src" / "eightysix" / "scan" / "index" / "data"
#: Changes when the miner decides differently; part of the provenance in the data.
MINER = "1"

#: Called by many others, so solved before them. The rest follows in the order of wanted.toml.
_FIRST = """six packaging attrs decorator wrapt toolz urllib3 requests fsspec pyyaml jinja2 huggingface-hub tqdm
cloudpickle dill joblib numpy scipy pandas pillow safetensors tokenizers protobuf h5py networkx sympy matplotlib scikit-learn
torch torchvision torchaudio torchmetrics pydantic omegaconf hydra-core transformers accelerate peft datasets
lightning-utilities pytorch-lightning lightning pyannote.core pyannote.database pyannote.pipeline keras tf_keras langchain-core
""".split()

#: Top-level names that wheels carry without being theirs.
_NOBODYS = frozenset("tests test docs examples benchmarks scripts doc src build setup tools bin".split())


def _ordered(pins: Iterable[Pin]) -> dict[str, list[Pin]]:
    """Pins by distribution, in the order of solving; releases oldest first."""
    grouped: dict[str, list[Pin]] = {}
    for pin in pins:
        grouped.setdefault(pin.name, []).insert(0, pin)  # wanted.toml lists the newest first
    first = {name: grouped[name] for name in _FIRST if name in grouped}
    return first | {name: held for name, held in grouped.items() if name not in first}


def _reviewed(
    entries: Iterable[Entry], world: World, library: Library, label: str
) -> list[tuple[str, str, Role]]:
    found = []
    for entry in entries:
        found += [(module, name, entry.role(label)) for module, name in entry.pairs()]
        if entry.derived:
            for name, (one, module) in library.classes.items():
                if entry.derived in world.bases(name):
                    found.append((module, one.qual, entry.role(label)))
            found += [
                (module, name, entry.role(label)) for module, name in _stub_classes(library, entry.derived)
            ]
    return found


def _stub_classes(library: Library, base: str) -> Iterator[tuple[str, str]]:
    """Classes that a stub beside a source derives from `base` of the same stub."""
    module, _, first = base.rpartition(".")
    stub = library.stubs.get(module)
    derived = {first}
    for _ in range(6 if stub else 0):
        derived |= {one.qual for one in stub.classes if not derived.isdisjoint(one.bases)}  # type: ignore[union-attr]
    for name in sorted(derived if stub else ()):
        yield module, name
        aliases = [alias for alias, target in stub.names.items() if target == name]  # type: ignore[union-attr]
        yield from ((module, alias) for alias in aliases)


def _denied(role: Role) -> Role:
    return Role(RoleKind.DENIED, role.predicate, role.effect, role.via, role.library)


def _primitives(roles: ReleaseRoles, standard: frozenset[str], label: str) -> None:
    """The C-level names that effects begin at, which no source defines."""
    from tools.mine.primitives import PRIMITIVES

    for name, (effect, _) in PRIMITIVES.items():
        for module, _, last in (name.rpartition("."),):
            if module.split(".")[0] in standard:
                roles.setdefault(module, {}).setdefault(
                    last, Role(RoleKind.DENIED, "", effect.value, "", label)
                )


class _Build:
    def __init__(self, cache: Path, pins: list[Pin]):
        self.cache = cache
        self.pins = pins
        self.reviewed = read_reviewed()
        self.world = World()
        self.tables: dict[str, ReleaseRoles] = {}
        self.releases: dict[str, list[tuple[str, str]]] = {}
        self.tops: dict[str, str] = {}
        self.standard = frozenset(sys.stdlib_module_names) | frozenset(self.reviewed.standard.split())
        self.standard |= {"__builtin__"}
        self.failures: list[str] = []

    def python(self, roots: list[Path]) -> str:
        """Solve the standard library in each of the folders, oldest first; everything else calls the last one."""
        roles: ReleaseRoles = {}
        label = ""
        for root in roots:
            release = collect.standard_release(self.cache, root)
            library = Library(release.modules)
            self.world.add(library)
            label = f"python {release.version}"
            for module, names in roles_of(self.world, library, label, {}, construct=False).items():
                denied = {name: _denied(role) for name, role in names.items() if role.kind is RoleKind.GADGET}
                roles.setdefault(module, {}).update(denied)
            self.releases.setdefault("python", []).append((release.version, ""))
            self.standard |= {one.name.split(".")[0] for one in release.modules}
            _forget(library)
        _primitives(roles, self.standard, label)
        for entry in (one for one in self.reviewed.entry if one.library == "python"):
            for module, name in entry.pairs():
                roles.setdefault(module, {})[name] = entry.role(label)
        self.tables["python"] = roles
        return f"python: {sum(map(len, roles.values()))} names"

    def distribution(self, name: str, pins: list[Pin]) -> str:
        """Solve the releases of one distribution and merge their roles; a line about it."""
        began = time.process_time()
        merged: ReleaseRoles = {}
        entries = [entry for entry in self.reviewed.entry if entry.library == name]
        allowed: dict[tuple[str, str], Role] = {}
        for pin in pins:
            release = collect.release(self.cache, pin)
            library = Library(release.modules, guess=pin.group == "beside")
            self.world.add(library)
            label = f"{name} {release.version}"
            natives = {one.name: one for one in collect.natives(self.cache, pin)}
            roles = roles_of(self.world, library, label, natives, construct=pin.group == "models")
            for module, names in roles.items():
                held = merged.setdefault(module, {})
                for one, role in names.items():
                    held[one] = worse(role, held[one]) if one in held else role
            allowed |= {
                (module, one): role for module, one, role in _reviewed(entries, self.world, library, label)
            }
            self.releases.setdefault(name, []).append((release.version, release.sha256))
            self._claim(name, library, natives)
            _forget(library)
        for (module, one), role in allowed.items():
            merged.setdefault(module, {})[one] = role
        merged = {module: names for module, names in merged.items() if self._owner(module) == name}
        self.tables[name] = merged
        count = {
            kind: sum(role.kind is kind for names in merged.values() for role in names.values())
            for kind in RoleKind
        }
        told = " ".join(f"{kind} {number}" for kind, number in count.items() if number)
        return f"{name}: {told} ({time.process_time() - began:.0f} s)"

    def _claim(self, name: str, library: Library, natives: Iterable[str]) -> None:
        tops = library.tops()
        tops |= {module for module in natives if "." not in module}
        for top in tops:
            if top.partition(".")[0] not in _NOBODYS | self.standard:
                self.tops.setdefault(top, name)

    def _owner(self, module: str) -> str | None:
        parts = module.split(".")
        return next(
            (self.tops[top] for n in range(len(parts)) if (top := ".".join(parts[: n + 1])) in self.tops),
            None,
        )


def _forget(library: Library) -> None:
    """Drop the calls of a solved library; only what they reach is still asked for. They are most of the memory."""
    import msgspec

    for functions in library.functions.values():
        functions[:] = [msgspec.structs.replace(one, calls=()) for one in functions[:1]]
    for name, module in library.modules.items():
        library.modules[name] = msgspec.structs.replace(module, functions=())


def main() -> int:
    """Mine, write, and tell what was found."""
    parser = argparse.ArgumentParser(prog="python -m tools.mine.build", description=__doc__)
    parser.add_argument("cache", type=Path)
    parser.add_argument(
        "--python",
        type=Path,
        action="append",
        help="folder of a standard library, oldest first; this interpreter's",
    )
    parser.add_argument(
        "--only", default="", help="distributions, joined by commas: a quick look, never for shipping"
    )
    parser.add_argument("--output", type=Path, default=DATA)
    options = parser.parse_args()
    before, pins = read_pins()
    build = _Build(options.cache, pins)
    print(build.python(options.python or [Path(sysconfig.get_paths()["stdlib"])]), flush=True)
    only = set(options.only.split(",")) if options.only else set()
    for name, held in _ordered(pins).items():
        if not only or name in only:
            print(build.distribution(name, held), flush=True)
    made = write(options.output, build.tables, build.releases, build.tops, build.standard, before, MINER)
    size = sum(path.stat().st_size for path in options.output.iterdir())
    print(f"{len(build.tables)} tables, {size} bytes, version {made.version}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
