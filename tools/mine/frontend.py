"""Source text to facts: one pass over the syntax tree of a module; nothing of it is imported or run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator

from tools.mine.facts import Call, Class, Function, Module
from tools.mine.primitives import HARMLESS, METHODS

__all__ = ["LAST_BIT", "read_module"]

#: The result of these says nothing that a caller chose about a path, a command or a name.
_CLEANERS = frozenset(
    "len isinstance issubclass int float bool hasattr callable id hash ord round abs sum any all range".split()
)
_REGISTRARS = ("copyreg.pickle", "copy_reg.pickle", "ForkingPickler.register", "reduction.register")
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
_ROUNDS = 3
#: Functions with more parameters exist; the rest share the last bit.
LAST_BIT = 62


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a name or attribute chain; "" of anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    parts.append(node.id)
    return ".".join(reversed(parts))


def _absolute(module: str, package: bool, level: int, name: str | None) -> str:
    """The module that a `from` import names."""
    if not level:
        return name or ""
    parts = module.split(".")
    parts = parts[: len(parts) - level + (1 if package else 0)]
    return ".".join([*parts, name] if name else parts)


def _imports(node: ast.stmt, module: str, package: bool) -> tuple[dict[str, str], list[str]]:
    """Names that an import statement binds, absolute (marked `=`), and the modules it takes everything of."""
    names: dict[str, str] = {}
    stars: list[str] = []
    if isinstance(node, ast.Import):
        for alias in node.names:
            top = alias.name.split(".")[0]
            names[alias.asname or top] = "=" + (alias.name if alias.asname else top)
    elif isinstance(node, ast.ImportFrom):
        origin = _absolute(module, package, node.level, node.module)
        for alias in node.names:
            if alias.name == "*":
                stars.append(origin)
            else:
                names[alias.asname or alias.name] = f"={origin}.{alias.name}"
    return names, stars


def _flat(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a body and of the ifs, tries, loops and withs in it."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.For | ast.While | ast.With | ast.Try):
            yield from _flat(node.body)
            for part in ("orelse", "finalbody"):
                yield from _flat(getattr(node, part, ()))
            for handler in getattr(node, "handlers", ()):
                yield from _flat(handler.body)


def _mentions(node: ast.AST) -> set[str]:
    """Names that an expression's value is derived from; attributes of self by their own name."""
    found: set[str] = set()
    stack = [node]
    while stack:
        one = stack.pop()
        if isinstance(one, ast.Name):
            found.add(one.id)
        elif isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == "self":
            found.add("self." + one.attr)
        elif isinstance(one, ast.Call):
            if not (isinstance(one.func, ast.Name) and one.func.id in _CLEANERS):
                stack.extend(one.args)
                stack.extend(word.value for word in one.keywords)
                if isinstance(one.func, ast.Attribute):
                    stack.append(one.func.value)
                elif not isinstance(one.func, ast.Name):
                    stack.append(one.func)
        elif isinstance(one, ast.Compare | ast.Constant | ast.Lambda):
            continue
        elif isinstance(one, ast.IfExp):
            stack += [one.body, one.orelse]
        else:
            stack.extend(ast.iter_child_nodes(one))
    return found


def _targets(node: ast.expr) -> Iterator[str]:
    """Names that an assignment to `node` binds."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        if isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}" if node.value.id == "self" else node.value.id
    elif isinstance(node, ast.Subscript | ast.Starred):
        yield from _targets(node.value)
    elif isinstance(node, ast.Tuple | ast.List):
        for part in node.elts:
            yield from _targets(part)


class _Body:
    """Reads one function: who is called, and which parameters each argument is derived from."""

    def __init__(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Module,
        params: list[str],
        where: tuple[str, bool],
    ):
        self.module, self.package = where
        self.index = {name: number for number, name in enumerate(params)}
        self.masks: dict[str, int] = {name: 1 << min(number, LAST_BIT) for name, number in self.index.items()}
        self.types: dict[str, str] = {}  # local name -> dotted name, or inst:CLASS
        self.calls: list[ast.Call] = []
        self.attributes: dict[str, str] = {}
        self.returned: list[str] = []
        self._flows: list[tuple[str, set[str]]] = []
        everything = (1 << min(len(params), LAST_BIT + 1)) - 1
        self._collect(node, everything)
        for _ in range(_ROUNDS):
            changed = False
            for target, sources in self._flows:
                mask = self.masks.get(target, 0)
                new = mask | self._mask(sources)
                if new != mask or target not in self.masks:
                    self.masks[target] = new
                    changed = changed or new != mask
            if not changed:
                break

    def _collect(self, node: ast.AST, everything: int) -> None:
        if isinstance(node, _FUNCTION):
            for argument in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]:
                if argument.annotation is not None and (kind := _plain(argument.annotation)):
                    self.types[argument.arg] = "inst:" + kind
        stack: list[ast.AST] = list(reversed(getattr(node, "body", [])))
        while stack:
            one = stack.pop()
            if isinstance(one, ast.Import | ast.ImportFrom):
                self.types.update(_imports(one, self.module, self.package)[0])
                continue
            if isinstance(one, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                if isinstance(node, ast.Module):
                    continue  # they are functions of their own
            if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                for argument in [*one.args.posonlyargs, *one.args.args, *one.args.kwonlyargs]:
                    self.masks.setdefault(argument.arg, everything)
            elif isinstance(one, ast.Call):
                self.calls.append(one)
            elif isinstance(one, ast.Return):
                if isinstance(one.value, ast.Tuple) and one.value.elts:
                    self.returned.append(dotted(one.value.elts[0]))
            else:
                self._bound(one)
            stack.extend(reversed(list(ast.iter_child_nodes(one))))

    def _bound(self, node: ast.AST) -> None:
        """Note what a statement or comprehension binds names to."""
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._assign(target, node.value)
        elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr):
            if node.value is not None:
                self._assign(node.target, node.value)
        elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            self._flow(node.target, node.iter)
        elif isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                if item.optional_vars is not None:
                    self._assign(item.optional_vars, item.context_expr)

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        self._flow(target, value)
        name = dotted(target)
        if not name or name in self.types:
            return
        if isinstance(value, ast.Call) and (kind := dotted(value.func)):
            kind = "inst:" + self.named(kind)
        elif kind := dotted(value):
            kind = self.named(kind)
        if kind and (name.count(".") == 0 or (name.startswith("self.") and name.count(".") == 1)):
            if name.split(".")[0] in self.index and "." not in name:
                return
            self.types[name] = kind
            if name.startswith("self.") and kind.startswith("inst:"):
                self.attributes[name[5:]] = kind[5:]

    def _flow(self, target: ast.expr, value: ast.expr) -> None:
        sources = _mentions(value)
        self._flows.extend((name, sources) for name in _targets(target))

    def _mask(self, names: Iterable[str]) -> int:
        mask = 0
        for name in names:
            found = self.masks.get(name)
            if found is None and name.startswith("self."):
                found = self.masks.get("self")
            mask |= found or 0
        return mask

    def mask(self, node: ast.AST) -> int:
        """Which parameters the value of `node` is derived from."""
        return self._mask(_mentions(node))

    def named(self, name: str) -> str:
        """`name` with a local alias of its first part put in."""
        root, _, rest = name.partition(".")
        known = self.types.get(root)
        if known is None or known == root or known.startswith("inst:"):
            return name
        return f"{known}.{rest}" if rest else known

    def target(self, func: ast.expr) -> str:
        """How the callee is named; see Call."""
        name = dotted(func)
        if name:
            root, _, rest = name.partition(".")
            if root in ("self", "cls") and root in self.index and self.index[root] == 0:
                head, _, method = rest.partition(".")
                known = self.types.get("self." + head, "")
                if method and known.startswith("inst:"):
                    return f"{known}|{method}"
                return f"self.{rest}" if rest else "self"
            known = self.types.get(root, "")
            if known.startswith("inst:"):
                return (
                    f"{known}|{rest}" if rest else (f"param:{self.index[root]}" if root in self.index else "")
                )
            if root in self.index:
                return f"any|{rest}" if rest else f"param:{self.index[root]}"
            if known or root not in self.masks:
                return self.named(name)
            return f"any|{rest}" if rest else f"var:{root}"
        if isinstance(func, ast.Attribute):
            inner = func.value
            if isinstance(inner, ast.Call):
                callee = dotted(inner.func)
                if callee == "super":
                    return "super." + func.attr
                if callee:
                    return f"inst:{self.named(callee)}|{func.attr}"
            return f"any|{func.attr}"
        if isinstance(func, ast.Call) and dotted(func.func) == "getattr" and len(func.args) > 1:
            return "attr:"
        return ""

    def read(self, node: ast.Call) -> Call | None:
        """The call as a fact; None where nothing can follow from it."""
        target = self.target(node.func)
        if not target or target in HARMLESS:
            return None
        if target.startswith("any|") and target.rpartition(".")[2].rpartition("|")[2] not in METHODS:
            return None
        receiver = self.mask(node.func.value) if isinstance(node.func, ast.Attribute) else 0
        if target == "attr:" and isinstance(node.func, ast.Call):
            receiver = self.mask(node.func.args[1])
        elif target.startswith("var:"):
            receiver = self._mask([target[4:]])
            if not receiver:
                return None
        args, star = [], 0
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                star |= self.mask(argument.value)
            else:
                args.append(self.mask(argument))
        named = []
        for word in node.keywords:
            if word.arg is None:
                star |= self.mask(word.value)
            else:
                named.append((word.arg, self.mask(word.value)))
        return Call(target, tuple(args), tuple(named), star, receiver, _mode(node))


def _plain(node: ast.expr) -> str:
    """The one class that an annotation names: `Path`, `"Path"`, `Path | None`, `Optional[Path]`; "" otherwise."""
    if isinstance(node, ast.Constant):
        return (
            node.value if isinstance(node.value, str) and node.value.replace(".", "").isidentifier() else ""
        )
    if isinstance(node, ast.BinOp):
        return _plain(node.left)
    if isinstance(node, ast.Subscript):
        return _plain(node.slice) if dotted(node.value).endswith("Optional") else ""
    return dotted(node)


def _mode(node: ast.Call) -> str:
    """A constant mode: the second argument, or the one named so."""
    mode: object = ""
    if len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
        mode = node.args[1].value
    for word in node.keywords:
        if word.arg == "mode" and isinstance(word.value, ast.Constant):
            mode = word.value.value
    return mode[:8] if isinstance(mode, str) and mode.isascii() else ""


class _Reader:
    """Walks the definitions of a module."""

    def __init__(self, name: str, package: bool, stub: bool):
        self.name, self.package, self.stub = name, package, stub
        self.functions: list[Function] = []
        self.classes: list[Class] = []
        self.names: dict[str, str] = {}
        self.stars: list[str] = []
        self.public: list[str] = []
        self.typed: list[tuple[str, str]] = []

    def body(self, statements: Iterable[ast.stmt], prefix: str) -> None:
        """Definitions of a module's or class's body."""
        for node in _flat(statements):
            if isinstance(node, _FUNCTION):
                self._function(node, prefix)
            elif isinstance(node, ast.ClassDef):
                self._class(node, prefix)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names, stars = _imports(node, self.name, self.package)
                self._bind(names, prefix)
                self.stars += stars
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    self._assigned(target, node.value, prefix)
            elif isinstance(node, ast.AnnAssign):
                if isinstance(node.target, ast.Name) and not prefix:
                    if self.stub:
                        self.typed.append((node.target.id, ast.unparse(node.annotation)[:60]))
                    elif node.value is not None:
                        self._assigned(node.target, node.value, prefix)
            elif isinstance(node, ast.AugAssign) and not prefix and dotted(node.target) == "__all__":
                self.public += _words(node.value)

    def _bind(self, names: dict[str, str], prefix: str) -> None:
        for name, target in names.items():
            self.names.setdefault(prefix + name, target)

    def _assigned(self, target: ast.expr, value: ast.expr, prefix: str) -> None:
        if not isinstance(target, ast.Name):
            return
        if target.id == "__all__" and not prefix:
            self.public += _words(value)
        elif name := dotted(value):
            self.names.setdefault(prefix + target.id, name)
        elif isinstance(value, ast.Call) and (kind := dotted(value.func)):
            made = dotted(value.args[0]) if kind.endswith("partial") and value.args else ""
            self.names.setdefault(prefix + target.id, made or "inst:" + kind)

    def _class(self, node: ast.ClassDef, prefix: str) -> None:
        qual = prefix + node.name
        before = len(self.functions)
        self.body(node.body, qual + ".")
        attributes: dict[str, str] = {}
        for function in self.functions[before:]:
            for name, kind in self._attributes.pop(function.qual, {}).items():
                attributes.setdefault(name, kind)
        bases = tuple(
            name
            for base in node.bases
            if (name := dotted(base.value if isinstance(base, ast.Subscript) else base))
        )
        meta = next((dotted(word.value) for word in node.keywords if word.arg == "metaclass"), "")
        exported = ""
        for decorator in node.decorator_list:
            if (
                isinstance(decorator, ast.Call)
                and decorator.args
                and dotted(decorator.func).endswith("set_module")
            ):
                exported = getattr(decorator.args[0], "value", "") or ""
        self.classes.append(Class(qual, bases, meta, tuple(sorted(attributes.items())), str(exported)))

    _attributes: dict[str, dict[str, str]]

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, prefix: str) -> None:
        marks = [dotted(one.func if isinstance(one, ast.Call) else one) for one in node.decorator_list]
        given = node.args
        params = [one.arg for one in [*given.posonlyargs, *given.args]]
        bound = 0
        if prefix:
            bound = (
                2 if "staticmethod" in marks else 3 if "classmethod" in marks or node.name == "__new__" else 1
            )
        # NOTE: a method's first parameter is called self here whatever the source calls it.
        if bound == 1 and params and params[0] != "self":
            node = _Renamed(params[0]).visit(node)
        if bound in (1, 3) and params:
            params[0] = "self" if bound == 1 else params[0]
        params += [one.arg for one in given.kwonlyargs]
        params += ["*" + one.arg for one in (given.vararg,) if one] + [
            "**" + one.arg for one in (given.kwarg,) if one
        ]
        body = _Body(node, [name.lstrip("*") for name in params], (self.name, self.package))
        calls = tuple(dict.fromkeys(call for one in body.calls if (call := body.read(one))))
        qual = prefix + node.name
        self._attributes[qual] = body.attributes
        reduces = node.name.lstrip("_").startswith(
            "reduce"
        )  # __reduce__, __reduce_ex__ and what they hand on to
        annotations: tuple[str, ...] = ()
        if self.stub:
            every = [*given.posonlyargs, *given.args, *given.kwonlyargs]
            annotations = tuple(ast.unparse(one.annotation)[:80] if one.annotation else "" for one in every)
        self.functions.append(
            Function(
                qual,
                tuple(params),
                bound,
                calls,
                tuple(body.named(name) for name in body.returned if name) if reduces else (),
                any(mark.endswith(".setter") for mark in marks),
                annotations,
            )
        )

    def read(self, tree: ast.Module) -> Module:
        """The facts of the whole file."""
        self._attributes = {}
        self.body(tree.body, "")
        top = _Body(tree, [], (self.name, self.package))
        calls = tuple(dict.fromkeys(call for one in top.calls if (call := top.read(one))))
        self.functions.append(Function("<module>", (), 0, calls))
        calls_made = (one for one in ast.walk(tree) if isinstance(one, ast.Call) and len(one.args) > 1)
        reducers = [dotted(one.args[1]) for one in calls_made if dotted(one.func).endswith(_REGISTRARS)]
        return Module(
            self.name,
            self.package,
            self.stub,
            self.names,
            tuple(dict.fromkeys(self.stars)),
            tuple(dict.fromkeys(self.public)),
            tuple(self.functions),
            tuple(self.classes),
            tuple(self.typed),
            tuple(name for name in reducers if name),
        )


class _Renamed(ast.NodeTransformer):
    """A method's own name for self, put to `self`."""

    def __init__(self, name: str):
        self._name = name

    def visit_Name(self, node: ast.Name) -> ast.Name:
        if node.id == self._name:
            node.id = "self"
        return node


def _words(node: ast.expr) -> list[str]:
    """Constant texts of a list or tuple."""
    parts = node.elts if isinstance(node, ast.List | ast.Tuple) else []
    texts = (one.value for one in parts if isinstance(one, ast.Constant))
    return [text for text in texts if isinstance(text, str) and text.isascii()]


def read_module(name: str, text: bytes, *, package: bool, stub: bool) -> Module | None:
    """The facts of one source file; None where this interpreter cannot parse it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        return _Reader(name, package, stub).read(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
