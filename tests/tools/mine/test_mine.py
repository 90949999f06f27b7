"""The miner on sources written here: what is followed, what steers an effect, what a class does while it is loaded."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from eightysix.scan.index.role import Role, RoleKind
from eightysix.scan.index.tables import Table
from tools.mine.fetch import read_pins
from tools.mine.frontend import read_module
from tools.mine.judge import ReleaseRoles, roles_of
from tools.mine.native import read_native
from tools.mine.pack import pack, worse
from tools.mine.primitives import PRIMITIVES
from tools.mine.review import changes
from tools.mine.reviewed import read_reviewed
from tools.mine.solver import Library, World


def _mined(*, construct: bool = True, guess: bool = False, **sources: str) -> ReleaseRoles:
    """Roles of a library whose modules are given as text; `lib` is its package, `lib_a` is lib.a."""
    modules = []
    for name, text in sources.items():
        dotted = name.replace("__", ".")
        module = read_module(dotted, dedent(text).encode(), package=dotted == "lib", stub=False)
        assert module is not None
        modules.append(module)
    world, library = World(), Library(modules, guess=guess)
    world.add(library)
    return roles_of(world, library, "lib 1.0", {}, construct=construct)


def _one(text: str, name: str) -> Role | None:
    return _mined(lib=text).get("lib", {}).get(name)


# --- reaching an effect ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "effect"),
    [
        ("import os\ndef f(c): os.system(c)", "starts a process"),
        ("from os import system as s\ndef f(c): s(c)", "starts a process"),
        ("def f(c):\n import os as o\n run = o.system\n return run(c)", "starts a process"),
        ("def f(c): exec(c)", "runs code given as text or bytes"),
        ("def f(c): return [eval(x) for x in c.split()]", "runs code given as text or bytes"),
        ("import _pickle\ndef f(c): return _pickle.loads(c)", "loads another pickle or marshalled code"),
        ("def f(p): return open(p).read()", "reads a file or directory by path"),
        ("def f(p, d):\n with open(p, 'w') as s: s.write(d)", "writes or changes a file by path"),
        ("def f(p): p.joinpath('x').write_text('y')", "writes or changes a file by path"),
        ("import sys\ndef f(): sys.exit(1)", "ends or signals a process"),
        ("def f(*a, **k): return g(*a, **k)\ndef g(code): exec(code)", "runs code given as text or bytes"),
        ("class A:\n def m(self, c): exec(c)\ndef f(c): A().m(c)", "runs code given as text or bytes"),
        (
            "class A:\n def m(self, c): exec(c)\ndef f(c):\n a = A()\n a.m(c)",
            "runs code given as text or bytes",
        ),
        (
            "class A:\n def __init__(self, c): exec(c)\ndef f(c): return A(c)",
            "runs code given as text or bytes",
        ),
        (
            "class A:\n def m(self, c): exec(c)\nclass B(A): pass\ndef f(c): B().m(c)",
            "runs code given as text or bytes",
        ),
        ("class A:\n def m(self, c): exec(c)\ndef f(a: A, c): a.m(c)", "runs code given as text or bytes"),
        ("def f(n):\n text = 'x = ' + n\n exec(text)", "runs code given as text or bytes"),
    ],
)
def test_a_function_that_hands_its_argument_to_an_effect_is_a_gadget(text: str, effect: str) -> None:
    found = _one(text, "f")
    assert found is not None
    assert (found.kind, found.effect) == (RoleKind.GADGET, effect)


def test_effects_are_followed_across_modules_and_levels() -> None:
    roles = _mined(
        lib="from lib.a import outer",
        lib__a="from lib import b\ndef outer(x): return b.middle(x)",
        lib__b="from .c import Inner\ndef middle(x): return Inner.run(x)",
        lib__c="import subprocess as sp\nimport os\nclass Inner:\n @staticmethod\n def run(x): return os.system(x)",
    )
    assert roles["lib.a"]["outer"].kind is RoleKind.GADGET
    assert roles["lib.a"]["outer"].via == "lib.b.middle > os.system"
    assert roles["lib"]["outer"] == roles["lib.a"]["outer"]
    assert roles["lib.c"]["Inner.run"].kind is RoleKind.GADGET


@pytest.mark.parametrize(
    "text",
    [
        "def f(x): return x + 1",
        "def f(x): return open('/proc/cpuinfo').read() + x",
        "import importlib\ndef f(x): return importlib.__import__('numpy').array(x)",
        "def f(x): exec('y = 1')\n",
        "def f(x): return open(f'part-{len(x)}')",
        "def eval(x): return x\ndef f(x): return eval(x)",
        "def g(p): return open(p)\ndef f(x): return g('data.json')",
    ],
)
def test_a_function_that_steers_nothing_may_be_named(text: str) -> None:
    found = _one(text, "f")
    assert found is not None
    assert (found.kind, found.effect) == (RoleKind.VALUE, "")


def test_a_process_is_an_effect_whatever_its_argument() -> None:
    found = _one("import os\ndef f(): os.system('ls')", "f")
    assert found is not None
    assert found.kind is RoleKind.GADGET


def test_a_function_that_calls_its_argument_is_a_value_that_says_so() -> None:
    found = _one("def f(g, x): return g(x)", "f")
    assert found == Role(RoleKind.VALUE, "", "calls what it is given", "", "lib 1.0")


def test_modules_that_import_all_of_each_other_end() -> None:
    roles = _mined(
        lib="from lib.a import *",
        lib__a="from lib.b import *",
        lib__b="from lib.a import *\ndef f(c): exec(c)",
    )
    assert roles["lib"]["f"].kind is RoleKind.GADGET


def test_calls_on_unknown_objects_are_guessed_only_where_asked() -> None:
    text = "class A:\n def send(self, c): exec(c)\ndef get(): ...\ndef f(c):\n a = get()\n a.send(c)"
    assert _mined(lib=text)["lib"]["f"].kind is RoleKind.VALUE
    assert _mined(lib=text, guess=True)["lib"]["f"].kind is RoleKind.GADGET


# --- classes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind", "predicate"),
    [
        ("pass", "construct", ""),
        ("def fit(self, path): open(path)", "construct", ""),
        ("def __init__(self, path): open(path)", "construct", "newobj"),
        ("def __init__(self, make): self.x = make()", "construct", "newobj"),
        ("def __init__(self): self.x = open('names.txt')", "construct", ""),
        ("def __init__(self, p): self._load(p)\n def _load(self, p): exec(p)", "construct", "newobj"),
        ("def __setitem__(self, k, v): open(k)", "construct", "noitems"),
        ("@property\n def x(self): ...\n @x.setter\n def x(self, v): open(v)", "construct", "noitems"),
        ("def __setstate__(self, state): exec(state['code'])", "gadget", ""),
        ("def __setstate__(self, state):\n  self.__dict__.update(state)\n  open(self.path)", "gadget", ""),
        ("def __new__(cls, path): open(path)", "gadget", ""),
        ("def __del__(self):\n  import os\n  os.unlink(self.path)", "gadget", ""),
        (
            "def __getattr__(self, name):\n  import importlib\n  return importlib.__import__(self.module)",
            "gadget",
            "",
        ),
        ("def __repr__(self): return eval(self.text)", "gadget", ""),
        ("def __repr__(self): return open(self.path).read()", "construct", ""),
    ],
)
def test_a_class_is_judged_by_what_loading_runs(body: str, kind: str, predicate: str) -> None:
    found = _one(f"class C:\n {body}", "C")
    assert found is not None
    assert (str(found.kind), found.predicate) == (kind, predicate)


def test_a_method_that_a_subclass_puts_under_its_base_counts() -> None:
    text = """
    class Base:
        def __setstate__(self, state): self.restore(state)
        def restore(self, state): self.state = state
    class Sub(Base):
        def restore(self, state): exec(state)
    """
    roles = _mined(lib=text)["lib"]
    assert roles["Base"].kind is RoleKind.CONSTRUCT
    assert roles["Sub"].kind is RoleKind.GADGET


def test_a_class_with_a_base_that_nobody_mined_is_not_told() -> None:
    assert _one("from elsewhere import Base\nclass C(Base): pass", "C") is None


def test_of_libraries_beside_the_models_only_gadgets_are_told() -> None:
    text = "class C: pass\nclass D:\n def __init__(self, c): exec(c)\ndef f(x): return x\ndef g(c): exec(c)"
    roles = _mined(lib=text, construct=False)["lib"]
    assert {name: str(role.kind) for name, role in roles.items()} == {"D": "gadget", "g": "gadget"}


# --- functions that pickles call ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rebuild", "predicate"),
    [
        ("def rebuild(a, b): return a", ""),
        ("def rebuild(cls, b): return object.__new__(cls)", "class@0"),
        ("def rebuild(f, b): return f(b)", "make@0"),
        ("def rebuild(f, b, args): return f(*args)", "call@0:2"),
        ("import _pickle\ndef rebuild(b): return _pickle.loads(b)", "nested@0"),
    ],
)
def test_what_reduce_names_is_a_function_with_its_condition(rebuild: str, predicate: str) -> None:
    found = _one(f"{rebuild}\nclass C:\n def __reduce__(self): return rebuild, (1, 2)", "rebuild")
    assert found == Role(RoleKind.FUNCTION, predicate, "", "", "lib 1.0")


def test_what_copyreg_is_given_is_such_a_function_too() -> None:
    found = _one("import copyreg\ndef rebuild(x): return x\ncopyreg.pickle(int, rebuild)", "rebuild")
    assert found is not None
    assert found.kind is RoleKind.FUNCTION


def test_a_reduce_function_that_does_more_stays_a_gadget() -> None:
    text = "import os\ndef rebuild(c): return os.system(c)\nclass C:\n def __reduce__(self): return rebuild, ('ls',)"
    found = _one(text, "rebuild")
    assert found is not None
    assert found.kind is RoleKind.GADGET


# --- compiled modules --------------------------------------------------------------------------------------------------


def test_a_compiled_module_tells_its_classes() -> None:
    data = b"\0m.x.Tree\0m.x.Tree.__reduce__\0m.x.helper\0__pyx_unpickle_Loss\0m.x.Other.run\0"
    found = read_native("m.x", data)
    assert dict(found.classes) == {"Tree": ("__reduce__",), "Loss": ("__pyx_unpickle",), "Other": ("run",)}
    assert found.telling == ()
    assert read_native("m.x", data + b"\0fopen\0").telling == ("fopen",)


# --- the files ---------------------------------------------------------------------------------------------------------


def _roles(**names: Role) -> ReleaseRoles:
    return {"lib": dict(names)}


def test_a_table_gives_back_what_was_packed_and_is_the_same_every_time(tmp_path: Path) -> None:
    gadget = Role(RoleKind.GADGET, "", "starts a process", "a > b", "lib 1.0")
    many = {
        f"lib.m{number:04}": {f"Name{one}": Role(RoleKind.CONSTRUCT) for one in range(300)}
        for number in range(40)
    }
    roles = {**many, "lib": {"f": gadget, "C": Role(RoleKind.CONSTRUCT, "newobj")}}
    turned = {module: dict(reversed(names.items())) for module, names in reversed(roles.items())}
    assert pack(roles) == pack(turned)
    (tmp_path / "lib.idx").write_bytes(pack(roles))
    table = Table(tmp_path / "lib.idx")
    assert table.find("lib", "f") == gadget
    assert table.find("lib.m0039", "Name299") == Role(RoleKind.CONSTRUCT)
    assert table.find("lib.m0039", "Name300") is None
    assert table.find("lib.nowhere", "f") is None
    assert table.find("aaa", "f") is None
    assert table.modules() == sorted(roles)


def test_of_two_releases_the_one_that_allows_less_counts() -> None:
    free, bound = Role(RoleKind.CONSTRUCT), Role(RoleKind.CONSTRUCT, "newobj")
    gadget = Role(RoleKind.GADGET, "", "starts a process")
    assert worse(free, gadget) == worse(gadget, free) == gadget
    assert worse(free, bound).predicate == worse(bound, free).predicate == "newobj"
    assert (
        worse(Role(RoleKind.FUNCTION, "class@0"), Role(RoleKind.FUNCTION, "nested@1")).predicate
        == "class@0,nested@1"
    )


def test_the_review_tells_what_becomes_usable(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
    gadget = Role(RoleKind.GADGET, "", "starts a process", "x", "lib 1.0")
    (old / "lib.idx").write_bytes(pack(_roles(f=gadget, C=Role(RoleKind.CONSTRUCT), g=gadget)))
    (new / "lib.idx").write_bytes(
        pack(_roles(f=Role(RoleKind.VALUE), C=Role(RoleKind.CONSTRUCT, library="lib 2.0"), h=gadget))
    )
    found = {change.name: change.matters for change in changes(old, new)}
    assert found == {"lib:f": True, "lib:g": False, "lib:h": False}


# --- what a person wrote -----------------------------------------------------------------------------------------------


def test_every_allowance_has_a_reason_and_names() -> None:
    for entry in read_reviewed().entry:
        assert entry.why
        assert entry.pairs() or entry.derived
        assert all(module and name for module, name in entry.pairs())


def test_nothing_that_acts_is_allowed_by_hand() -> None:
    for entry in read_reviewed().entry:
        for module, name in entry.pairs():
            known = PRIMITIVES.get(f"{module}.{name}")
            assert known is None, (module, name)


def test_pins_have_hashes_and_a_date() -> None:
    before, pins = read_pins()
    assert len(before) == 10
    assert len({pin.file for pin in pins}) == len(pins)
    assert all(len(pin.sha256) == 64 and pin.file.endswith(".whl") for pin in pins)
