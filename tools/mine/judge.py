"""From what names reach to what they may be used for: the roles of one release."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

from eightysix.scan.index.role import Role, RoleKind
from tools.mine.facts import Call, Function, Module, Native
from tools.mine.frontend import LAST_BIT
from tools.mine.primitives import CONSTANT_IS_HARMLESS, Effect, primitive
from tools.mine.solver import Library, Reached, World

__all__ = ["ReleaseRoles", "roles_of"]

#: Run for an object that is made by NEWOBJ and BUILD, or merely by being there.
_ALWAYS = (
    "__new__",
    "__setstate__",
    "__getattr__",
    "__getattribute__",
    "__setattr__",
    "__del__",
    "__hash__",
    "__eq__",
)
#: Run by SETITEM(S), APPEND(S) and ADDITEMS.
_ITEMS = ("__setitem__", "append", "extend", "add")
#: Run only when the class itself is called.
_CALLED = ("__init__", "__post_init__", "__attrs_post_init__", "__attrs_pre_init__")
#: What an object does as soon as somebody looks at it. Code, processes and pickles have no place there.
_LOOKED_AT = (
    "__repr__",
    "__str__",
    "__len__",
    "__bool__",
    "__iter__",
    "__next__",
    "__getitem__",
    "__contains__",
)
_NEVER_WHEN_LOOKED_AT = frozenset({Effect.PROCESS, Effect.CODE, Effect.NATIVE, Effect.UNPICKLE})

_WORST_FIRST = [
    Effect.PROCESS, Effect.CODE, Effect.NATIVE, Effect.UNPICKLE, Effect.IMPORT, Effect.NETWORK, Effect.LISTEN,
    Effect.DELETE, Effect.WRITE, Effect.EXIT, Effect.DEBUG, Effect.THREAD, Effect.SETTINGS, Effect.READ, Effect.REFLECT,
    Effect.CALLS,
]  # fmt: skip
#: Passing control to something that was itself judged when the pickle named it is no effect of its own.
_PASSES_ON = frozenset({Effect.CALLS, Effect.REFLECT})
#: Of these, and of nothing else, a stub's parameters may be for its function to be plain computation.
_COMPUTED = frozenset(
    """Tensor int float bool complex Number Optional Union None Sequence List Tuple tuple list SymInt SymFloat dtype device
    Generator memory_format layout _int _float _bool _complex _size _dtype _layout Scalar ndarray ArrayLike NDArray Size
    DeviceLikeType Device self torch np typing Any number builtins types ellipsis EllipsisType qscheme""".split()
)
#: Machinery that no saved object refers to: its functions are not worth a place in the index unless they do harm.
_INTERNAL = (
    "torch._inductor", "torch._dynamo", "torch.testing", "torch._functorch", "torch._export", "torch._refs", "torch._prims",
    "torch._decomp", "torch.onnx", "torch._higher_order_ops", "torch.distributed", "torch.ao.ns", "torch._numpy",
    "tensorflow.", "jax._src", "numpy.f2py", "numpy.distutils", "mlflow.", "ray.", "transformers.utils.dummy",
    "numba.", "nltk.", "sympy.polys", "sympy.physics", "keras.src.backend", "keras._tf_keras", "keras.ops",
)  # fmt: skip
#: A compiled class that has one of these was made to be pickled. What others do with arguments cannot be told.
_PICKLED = frozenset(
    "__reduce__ __reduce_ex__ __getstate__ __setstate__ __getnewargs__ __pyx_unpickle".split()
)
#: Compiled code of these computes, except where a module shows signs of more. The method that pickles a class may be its
#: base's, so all classes count.
_COMPUTE = frozenset("numpy scipy pandas scikit-learn statsmodels scikit-image hdbscan".split())
_REWRITES = frozenset("numpy scipy pandas torch jax pyarrow xarray polars".split())
_TEXTS_THAT_ACT = (
    "file",
    "path",
    "dir",
    "url",
    "name",
    "code",
    "source",
    "lib",
    "cmd",
    "command",
    "module",
    "key",
    "schema",
)
_CLASS_PARAMS = frozenset("cls klass type subtype new_type __pyx_type wrapper_cls typ new_class".split())
#: Where a pickle says that numpy's ufuncs are from, by its release.
_UFUNCS = (
    "numpy.core._multiarray_umath",
    "numpy._core._multiarray_umath",
    "numpy.core.umath",
    "numpy._core.umath",
)
_VALUE_TYPES = ("dtype", "layout", "memory_format", "qscheme", "_UFunc", "ufunc")

ReleaseRoles = dict[str, dict[str, Role]]


class _Judge:
    def __init__(
        self, world: World, library: Library, label: str, natives: Mapping[str, Native], construct: bool
    ):
        self._world, self._library, self._label = world, library, label
        self._natives = natives
        self._construct = construct
        self.roles: ReleaseRoles = {}
        self._classes: dict[str, Role] = {}

    def _put(self, module: str, name: str, role: Role) -> None:
        self.roles.setdefault(module, {}).setdefault(name, role)

    # --- functions -----------------------------------------------------------------------------------------------

    def reached(self, name: str) -> dict[Effect, Reached]:
        """What a function reaches; a primitive reaches itself."""
        library = self._world.library(name)
        found = library.reached.get(name) if library else None
        if found is None and (one := primitive(name)):
            return {one[0]: Reached(1, 0, name)}
        return found or {}

    def _gadget(self, name: str, effect: Effect) -> Role:
        steps = self._world.path(name, effect)[1:]
        shown = [*steps[:1], *steps[-1:]] if len(steps) > 1 else steps
        return Role(RoleKind.GADGET, "", effect.value, " > ".join(shown), self._label)

    def function(self, name: str) -> Role | None:
        """The role of a function by its full name; None where nothing is known."""
        effects = self.reached(name)
        for effect in _WORST_FIRST:
            if effect in effects and effect not in _PASSES_ON:
                return self._gadget(name, effect)
        library = self._world.library(name)
        held = library.functions.get(name) if library else None
        if not held or library is None:
            return None
        if library.modules[library.home[name]].stub and not _computes(held[0]):
            return None
        passes = next((effect.value for effect in _PASSES_ON if effect in effects), "")
        return Role(RoleKind.VALUE, "", passes, "", self._label)

    def reducer(self, name: str) -> Role | None:
        """The role of a function that real pickles call: FUNCTION, with what its arguments must be."""
        effects = self.reached(name)
        if any(effect not in (*_PASSES_ON, Effect.UNPICKLE) for effect in effects):
            return None
        library = self._world.library(name)
        held = library.functions.get(name) if library else None
        if not held:
            return None
        function = held[0]
        shift = 1 if function.bound in (1, 3) else 0
        wanted: list[str] = []
        calls = (
            effects.get(Effect.CALLS, Reached(0, 0, "")).mask
            | effects.get(Effect.REFLECT, Reached(0, 0, "")).mask
        )
        nested = effects.get(Effect.UNPICKLE, Reached(0, 0, "")).mask
        for number, param in enumerate(function.params):
            bit = 1 << min(number, LAST_BIT)
            if number < shift:
                continue
            if calls & bit:
                wanted.append(_called(function.calls, number, shift))
            elif param in _CLASS_PARAMS:
                wanted.append(f"class@{number - shift}")
            if nested & bit:
                wanted.append(f"nested@{number - shift}")
        if Effect.UNPICKLE in effects and not nested:
            return None
        return Role(RoleKind.FUNCTION, ",".join(wanted), "", "", self._label)

    # --- classes -------------------------------------------------------------------------------------------------

    def _harm(self, owner: str, names: tuple[str, ...]) -> tuple[str, Effect] | None:
        """The first effect that one of these methods of a class reaches with what an attacker controls."""
        for name in names:
            method = self._world.method(owner, name)
            if not method:
                continue
            for reached in (method, *self._overridden(owner, method)):
                effects = self.reached(reached)
                for effect in _WORST_FIRST:
                    if effect in effects and effect not in _PASSES_ON:
                        if effects[effect].mask or effect not in CONSTANT_IS_HARMLESS:
                            return reached, effect
        return None

    def _overridden(self, owner: str, method: str) -> Iterator[str]:
        """Methods that `method`, inherited, calls on self, where a nearer class than its own defines them."""
        home = method.rpartition(".")[0]
        library = self._world.library(method)
        if home == owner or library is None:
            return
        for function in library.functions.get(method, ()):
            for call in function.calls:
                if call.target.startswith("self.") and call.target.count(".") == 1:
                    own = self._world.method(owner, call.target[5:])
                    if own and own != self._world.method(home, call.target[5:]):
                        yield own

    def klass(self, name: str) -> Role | None:
        """The role of a class by its full name; None where a base is of a library that nobody mined."""
        known = self._classes.get(name)
        if known is None:
            found = self._judge_class(name)
            if found is None:
                return None
            known = self._classes[name] = found
        return known

    def _judge_class(self, name: str) -> Role | None:
        setters = tuple(
            one
            for base in self._world.bases(name)
            if (held := self._world.library(base))
            for one in held.setters.get(base, ())
        )
        if (harm := self._harm(name, _ALWAYS)) is not None:
            return self._gadget(*harm)
        for method in _LOOKED_AT:
            found = self._world.method(name, method)
            for effect, reached in self.reached(found).items() if found else ():
                if effect in _NEVER_WHEN_LOOKED_AT and reached.mask:
                    return self._gadget(found, effect)
        for base in self._world.bases(name):
            if base != name and primitive(base):
                return Role(RoleKind.GADGET, "", primitive(base)[0].value, base, self._label)  # type: ignore[index]
            if self._world.library(base) is None and base.partition(".")[0] not in sys.stdlib_module_names:
                return None
        limits = []
        if self._harm(name, _CALLED) is not None or self._calls_argument(name):
            limits.append("newobj")
        if self._harm(name, (*_ITEMS, *setters)) is not None:
            limits.append("noitems")
        return Role(RoleKind.CONSTRUCT, ",".join(limits), "", "", self._label)

    def _calls_argument(self, name: str) -> bool:
        """Whether making an instance by a call runs what an argument is."""
        method = self._world.method(name, "__init__")
        reached = self.reached(method).get(Effect.CALLS) if method else None
        return reached is not None and bool(reached.mask & ~1)

    # --- a release -----------------------------------------------------------------------------------------------

    def judge(self) -> ReleaseRoles:
        """Roles of all names that the library's modules define, or export from elsewhere."""
        library = self._library
        for name in sorted(self._reducers()):
            role = self.reducer(name)
            if role is not None:
                home = library.home[name]
                self._put(home, name[len(home) + 1 :], role)
        for module in library.modules.values():
            self._defined(module)
        for native in self._natives.values():
            self._native(native)
        for module in library.modules.values():
            self._exported(module)
        return self.roles

    def _reducers(self) -> set[str]:
        found = set()
        for module in self._library.modules.values():
            names = list(module.reducers)
            for function in module.functions:
                names += function.returned
            for name in names:
                kind, target = self._world.resolve(module.name, name)
                if kind == "function" and target in self._library.home:
                    found.add(target)
        return found

    def _defined(self, module: Module) -> None:
        for function in module.functions:
            if function.qual == "<module>":
                continue
            role = self.function(f"{module.name}.{function.qual}")
            if role is None or ("." in function.qual and not self._member_told(module, function, role)):
                continue
            if role.kind is RoleKind.VALUE and module.name.startswith(_INTERNAL):
                continue
            if role.kind is RoleKind.GADGET or self._construct:
                self._put(module.name, function.qual, role)
        for one in module.classes:
            name = f"{module.name}.{one.qual}"
            role = self.klass(name) if not module.stub else None
            if role is None:
                continue
            if role.kind is RoleKind.CONSTRUCT and not self._construct:
                role = self._harmful_call(name)
                if role is None:
                    continue
            self._put(module.name, one.qual, role)
            if one.exported:
                self._put(one.exported, one.qual, role)
        self._named_tuples(module)
        self._stubbed(module)
        if module.name in self._library.stubs:
            self._stubbed(self._library.stubs[module.name])

    def _named_tuples(self, module: Module) -> None:
        """Classes that the module makes of `namedtuple("Name", ...)`."""
        for name, bound in module.names.items() if self._construct else ():
            if bound.startswith("inst:") and bound.endswith("amedtuple") and "." not in name:
                _, made = self._world.resolve(module.name, bound[5:])
                if made in ("collections.namedtuple", "typing.NamedTuple"):
                    self._put(module.name, name, Role(RoleKind.CONSTRUCT, "", "", "", self._label))

    def _stubbed(self, module: Module) -> None:
        """Values that a stub declares by their type: dtypes, layouts, ufuncs."""
        for name, annotation in module.typed if self._construct else ():
            if annotation.removeprefix("typing.").removeprefix("Final[").startswith(_VALUE_TYPES):
                for home in (
                    module.name,
                    *(_UFUNCS if module.name == "numpy" and "ufunc" in annotation.lower() else ()),
                ):
                    self._put(home, name, Role(RoleKind.VALUE, "", "", "", self._label))

    def _member_told(self, module: Module, function: Function, role: Role) -> bool:
        """Methods are in the index only where they are gadgets of a class that may be made: members of other classes are
        denied, and other members of that class are values, without being listed."""
        if role.kind is not RoleKind.GADGET or not self._construct:
            return False
        owner = self.klass(f"{module.name}.{function.qual.rpartition('.')[0]}")
        return owner is not None and owner.kind is RoleKind.CONSTRUCT

    def _harmful_call(self, name: str) -> Role | None:
        """Of a library whose classes no model holds: a class is told of only if making one does harm."""
        harm = self._harm(name, _CALLED)
        return self._gadget(*harm) if harm else None

    def _native(self, native: Native) -> None:
        if not self._construct or native.telling:
            return
        for name, methods in native.classes:
            if _PICKLED.isdisjoint(methods) and self._label.split()[0] not in _COMPUTE:
                continue
            self._put(native.name, name, Role(RoleKind.CONSTRUCT, "", "", "", self._label))
            if "__pyx_unpickle" in methods:
                self._put(
                    native.name,
                    f"__pyx_unpickle_{name}",
                    Role(RoleKind.FUNCTION, "class@0", "", "", self._label),
                )

    def _exported(self, module: Module) -> None:
        names = list(module.names)
        for star in module.stars:
            names += self._starred(star, 0)
        for name in names:
            if "." in name:
                continue
            kind, target = self._world.resolve(module.name, name)
            role = None
            if kind == "function":
                role = self.reducer_or_function(target)
            elif kind == "class":
                role = (
                    self._foreign(target) if target not in self._library.classes else self._of_class(target)
                )
            elif kind == "outside" and primitive(target):
                role = self._gadget(target, primitive(target)[0])  # type: ignore[index]
            elif kind == "outside":
                origin, _, last = target.rpartition(".")
                role = self.roles.get(origin, {}).get(last) if origin in self._natives else None
            if role is None:
                role = self._typed(module, name)
            if kind == "object":
                self._singleton(f"{module.name}.{name}", target)
            if role is None or (role.kind is not RoleKind.GADGET and not self._told(module, kind)):
                continue
            if not module.package and target in self._library.home:
                continue  # a library's own name under a module that merely uses it: answered as unknown, or where defined
            self._put(module.name, name, role)

    def _singleton(self, name: str, owner: str) -> None:
        """The methods of an object that a package keeps: `torch.ops.load_library` can be imported like a function."""
        library = self._world.library(owner)
        if name.count(".") > 1 or library is not self._library:
            return
        for method in (one for base in self._world.bases(owner) for one in library.methods.get(base, ())):
            role = self.function(method)
            if role is not None and role.kind is RoleKind.GADGET:
                self._put(name, method.rpartition(".")[2], role)

    def _told(self, module: Module, kind: str) -> bool:
        return self._construct and module.package and (kind == "function" or self._renamed(module))

    def _renamed(self, module: Module) -> bool:
        """Whether pickles may name what `module` only passes on. They name the module where a class or function says it
        is from, which is the defining one unless the library rewrites it, as numpy and its like do for public names."""
        return (
            self._construct
            and module.package
            and module.name.count(".") < 2
            and self._label.split()[0] in _REWRITES
        )

    def _typed(self, module: Module, name: str) -> Role | None:
        """The role of a dtype, layout or ufunc that a package takes over from its stubs."""
        for star in module.stars:
            if name in self.roles.get(star, {}):
                return self.roles[star][name]
        bound = module.names.get(name, "")
        origin, _, last = bound.removeprefix("=").rpartition(".")
        return self.roles.get(origin, {}).get(last)

    def reducer_or_function(self, name: str) -> Role | None:
        """A re-exported function has the role that it has where it is defined."""
        home = self._library.home.get(name)
        if home is not None:
            return self.roles.get(home, {}).get(name[len(home) + 1 :])
        return self.function(name)

    def _of_class(self, name: str) -> Role | None:
        home = self._library.home[name]
        return self.roles.get(home, {}).get(name[len(home) + 1 :])

    def _foreign(self, name: str) -> Role | None:
        """A class of another library under a name of this one: only told where making one does harm."""
        role = self.klass(name)
        if role is not None and role.kind is RoleKind.GADGET:
            return role
        return self._harmful_call(name)

    def _starred(self, star: str, depth: int) -> list[str]:
        library = self._world.library(star)
        module = library.modules.get(star) if library else None
        if module is None or depth > 3:
            return []
        if module.public:
            return list(module.public)
        own = [function.qual for function in module.functions if "." not in function.qual]
        own += [one.qual for one in module.classes if "." not in one.qual]
        own += [name for name in module.names if "." not in name] + [name for name, _ in module.typed]
        for inner in module.stars:
            own += self._starred(inner, depth + 1)
        return [name for name in own if not name.startswith("_") and name != "<module>"]


def _called(calls: tuple[Call, ...], number: int, shift: int) -> str:
    """The predicate of a parameter that is called: with the tuple in another parameter, or with anything."""
    for call in calls:
        if (
            call.target == f"param:{number}"
            and call.star
            and not call.star & (call.star - 1)
            and not call.args
        ):
            return f"call@{number - shift}:{call.star.bit_length() - 1 - shift}"
    return f"make@{number - shift}"


def _computes(function: Function) -> bool:
    """Whether a stub's parameters are all tensors and numbers, or texts that choose how to compute."""
    names = [name for name in function.params if not name.startswith("*")]
    if len(function.annotations) != len(names):
        return False
    for name, annotation in zip(names, function.annotations, strict=True):
        words = "".join(
            letter if letter.isidentifier() or letter.isdigit() else " " for letter in annotation
        ).split()
        if "str" in words and any(part in name.lower() for part in _TEXTS_THAT_ACT):
            return False
        if not all(word in _COMPUTED or word.isdigit() or word in ("str", "_str") for word in words):
            return False
    return bool(function.annotations)


def roles_of(
    world: World, library: Library, label: str, natives: Mapping[str, Native], *, construct: bool
) -> ReleaseRoles:
    """The roles of every name of `library`, which `world` has solved.

    `construct` False leaves out what may be used, for libraries that model files have no reason to name: only what
    reaches an effect is told.
    """
    return _Judge(world, library, label, natives, construct).judge()
