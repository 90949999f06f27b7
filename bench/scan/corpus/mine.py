"""Finds callables whose argument reaches a sink in the sources of real packages, and draws gadgets from all of them.

    python -m bench.scan.corpus.mine FOLDER... [--seed N] [--count 640] > bench/scan/corpus/gadgets.csv

FOLDER is a standard library or a site-packages folder. Sources are parsed, nothing is imported. A function is a gadget when
an argument of its own flows into a sink, or into a gadget of any package read; whoever loads a pickle that calls it gives
that argument to the attacker. No package, module or name is left out, so what is drawn is nobody's list of known names.
The draw takes packages in turn, so that the biggest does not fill it. Reading a file is "gray": a model may do so.
"""

from __future__ import annotations

import argparse
import ast
import csv
import random
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

# A sink by its full name, and what reaches it. A trailing * matches names that begin so.
SINKS = {
    "builtins.exec": "code",
    "builtins.eval": "code",
    "builtins.__import__": "import",
    "importlib.import_module": "import",
    "importlib.__import__": "import",
    "runpy.*": "code",
    "code.interact": "code",
    "os.system": "command",
    "os.popen": "command",
    "os.exec*": "command",
    "os.spawn*": "command",
    "os.posix_spawn*": "command",
    "os.startfile": "command",
    "pty.spawn": "command",
    "subprocess.*": "command",
    "asyncio.create_subprocess_*": "command",
    "ctypes.CDLL": "native",
    "ctypes.PyDLL": "native",
    "ctypes.cdll.LoadLibrary": "native",
    "pickle.load": "unpickle",
    "pickle.loads": "unpickle",
    "pickle.Unpickler": "unpickle",
    "_pickle.loads": "unpickle",
    "marshal.load*": "unpickle",
    "shelve.open": "unpickle",
    "joblib.load": "unpickle",
    "torch.load": "unpickle",
    "dill.load*": "unpickle",
    "yaml.load": "unpickle",
    "yaml.unsafe_load": "unpickle",
    "os.remove": "delete",
    "os.unlink": "delete",
    "os.rename": "delete",
    "os.replace": "delete",
    "shutil.rmtree": "delete",
    "shutil.move": "delete",
    "shutil.copyfile": "write",
    "shutil.copy*": "write",
    "os.makedirs": "write",
    "os.mkdir": "write",
    "os.symlink": "write",
    "os.chmod": "write",
    "tarfile.open": "read",
    "zipfile.ZipFile": "read",
    "urllib.request.urlopen": "network",
    "urllib.request.urlretrieve": "network",
    "socket.create_connection": "network",
    "requests.*": "network",
    "http.client.HTTP*": "network",
    "httpx.*": "network",
    "builtins.open": "open",
    "io.open": "open",
    "codecs.open": "open",
}
GRAY = frozenset({"read"})
DEPTH = 4  # calls between a gadget and its sink; further chains are hardly ever driven by one argument
COLUMNS = ("module", "name", "position", "required", "effect", "depth", "package")


class Call(NamedTuple):
    """One call inside a function that passes on what came from an argument: `position` is which of the function's own."""

    callee: str
    position: int
    effect: str


class Function(NamedTuple):
    """A function, method or class by module and dotted name; `required` counts arguments without a default."""

    module: str
    name: str
    required: int
    calls: tuple[Call, ...]


def sink(name: str) -> str:
    """The effect of a call of `name`, or nothing."""
    found = SINKS.get(name, "")
    if not found:
        for pattern, effect in SINKS.items():
            if pattern.endswith("*") and name.startswith(pattern[:-1]):
                return effect
    return found


def dotted(node: ast.expr) -> str:
    """`a.b.c` as text, or nothing."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def mode_of(call: ast.Call) -> str:
    """The mode that a call of open() names, "r" where it names none; unknown is reading too."""
    given = (
        call.args[1]
        if len(call.args) > 1
        else next((k.value for k in call.keywords if k.arg == "mode"), None)
    )
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else "r"


class Module:
    """The functions of one source file, with names resolved through its imports."""

    def __init__(self, tree: ast.Module, name: str, package: bool) -> None:
        self.name, self.package = name, package
        self.names: dict[str, str] = {}
        self.own: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self.names[alias.asname or alias.name.split(".")[0]] = (
                        alias.name if alias.asname else alias.name.split(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom):
                base = self.base_of(node)
                self.names.update(
                    {alias.asname or alias.name: f"{base}.{alias.name}" for alias in node.names}
                )
        self.own = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}

    def base_of(self, node: ast.ImportFrom) -> str:
        """The module that `from ... import` names."""
        if not node.level:
            return node.module or ""
        up = self.name.split(".")
        up = up[: len(up) - node.level + (1 if self.package else 0)]
        return ".".join([*up, node.module] if node.module else up)

    def resolve(self, name: str, scope: str) -> str:
        """The full name of what `name` means here; `self.x` is a method of `scope`."""
        head, _, rest = name.partition(".")
        if head in ("self", "cls") and scope and rest:
            return f"{self.name}.{scope}.{rest}"
        if head in self.own:
            return f"{self.name}.{name}"
        if head in self.names:
            return f"{self.names[head]}.{rest}" if rest else self.names[head]
        return f"builtins.{name}" if not rest else name

    def calls(self, node: ast.FunctionDef, scope: str) -> tuple[int, tuple[Call, ...]]:
        """How many arguments it requires, and the calls that pass on one of its arguments."""
        spec = node.args
        parameters = [one.arg for one in [*spec.posonlyargs, *spec.args]]
        plain = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)
        bound = bool(scope) and not plain
        taint = {name: index for index, name in enumerate(parameters) if not (bound and index == 0)}
        if spec.vararg:
            taint[spec.vararg.arg] = len(parameters)
        found: list[Call] = []
        for inner in ast.walk(node):
            if (
                isinstance(inner, ast.Assign)
                and len(inner.targets) == 1
                and isinstance(inner.targets[0], ast.Name)
            ):
                position = tainted(inner.value, taint)
                if position is not None:
                    taint.setdefault(inner.targets[0].id, position)
        for inner in ast.walk(node):
            if not isinstance(inner, ast.Call) or not (name := dotted(inner.func)):
                continue
            given = [*inner.args[:2], *(k.value for k in inner.keywords if k.arg in ("args", "file", "path"))]
            position = next((p for p in (tainted(one, taint) for one in given) if p is not None), None)
            if position is None:
                continue
            callee = self.resolve(name, scope)
            effect = sink(callee)
            if effect == "open":
                effect = "write" if set(mode_of(inner)) & set("wax+") else ""
            found.append(Call(callee, position, effect))
        return len(parameters) - len(spec.defaults), tuple(found)

    def functions(self, tree: ast.Module) -> Iterator[Function]:
        """Functions and methods of this module."""
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                yield Function(self.name, node.name, *self.calls(node, ""))
            elif isinstance(node, ast.ClassDef):
                for method in node.body:
                    if isinstance(method, ast.FunctionDef):
                        required, calls = self.calls(method, node.name)
                        name = node.name if method.name == "__init__" else f"{node.name}.{method.name}"
                        # A class takes one argument less than its __init__; `position` counts what the caller gives.
                        shift = 1 if method.name == "__init__" else 0
                        moved = tuple(call._replace(position=call.position - shift) for call in calls)
                        yield Function(self.name, name, required - shift, moved)


def tainted(node: ast.expr, taint: dict[str, int]) -> int | None:
    """Which argument flows into this expression, or None."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and inner.id in taint:
            return taint[inner.id]
    return None


def read(folder: Path) -> Iterator[Function]:
    """Every function of every source file below `folder`; what does not parse is passed over."""
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if any(not part.isidentifier() for part in parts) or "site-packages" in parts:
            continue
        package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if package else parts)
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, ValueError, RecursionError, OSError):
            continue
        module = Module(tree, name, package)
        yield from module.functions(tree)


def gadgets(functions: Sequence[Function]) -> dict[tuple[str, str], tuple[int, int, str, int]]:
    """Module and name of every gadget, with position, required arguments, effect and depth."""
    reached: dict[str, str] = {}
    found: dict[tuple[str, str], tuple[int, int, str, int]] = {}
    for depth in range(DEPTH):
        new: dict[str, str] = {}
        for function in functions:
            key = (function.module, function.name)
            if key in found:
                continue
            for call in function.calls:
                effect = call.effect or reached.get(call.callee, "")
                if effect:
                    found[key] = (call.position, function.required, effect, depth)
                    new[f"{function.module}.{function.name}"] = effect
                    break
        reached.update(new)
    return found


def draw(
    found: dict[tuple[str, str], tuple[int, int, str, int]], count: int, seed: int
) -> list[tuple[str | int, ...]]:
    """`count` gadgets: packages in turn, modules and names by chance."""
    chance = random.Random(seed)
    by_package: dict[str, list[tuple[str | int, ...]]] = {}
    for (module, name), (position, required, effect, depth) in sorted(found.items()):
        package = module.split(".")[0]
        by_package.setdefault(package, []).append((module, name, position, required, effect, depth, package))
    for rows in by_package.values():
        chance.shuffle(rows)
    packages = sorted(by_package)
    chance.shuffle(packages)
    drawn: list[tuple[str | int, ...]] = []
    while len(drawn) < count and any(by_package.values()):
        for package in packages:
            if by_package[package] and len(drawn) < count:
                drawn.append(by_package[package].pop())
    return sorted(drawn, key=str)


def main(arguments: Sequence[str]) -> int:
    """Mine and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="+", type=Path)
    parser.add_argument("--seed", type=int, default=86)
    parser.add_argument("--count", type=int, default=640)
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # what the sources of others warn of when parsed
    functions = [function for folder in options.folder for function in read(folder)]
    found = gadgets(functions)
    print(f"{len(functions):,} functions, {len(found):,} gadgets", file=sys.stderr)
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(COLUMNS)
    out.writerows(draw(found, options.count, options.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
