"""The index's answers: default deny, dotted and odd names, and what the shipped data says of names that everybody knows."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eightysix.scan.index import (
    PREDICATES,
    Role,
    RoleKind,
    index_version,
    is_inert_source,
    predicates,
    role,
    tables,
    torchscript_role,
)

USABLE = {RoleKind.CONSTRUCT, RoleKind.VALUE, RoleKind.FUNCTION}


def _kind(name: str) -> RoleKind:
    module, _, qualname = name.partition(":")
    return role(module, qualname).kind


@pytest.mark.parametrize(
    "name",
    [
        "collections:OrderedDict", "datetime:datetime", "decimal:Decimal", "uuid:UUID", "numpy:ndarray", "numpy:float32",
        "numpy:dtype", "torch:Size", "torch.nn.modules.linear:Linear", "torch.nn.modules.container:Sequential",
        "torch:FloatStorage", "sklearn.linear_model._logistic:LogisticRegression", "sklearn.tree._tree:Tree",
        "sklearn.pipeline:Pipeline", "sklearn.linear_model.logistic:LogisticRegression", "pandas.core.frame:DataFrame",
        "pandas._libs.tslibs.timestamps:Timestamp", "scipy.sparse._csr:csr_matrix", "joblib.numpy_pickle:NumpyArrayWrapper",
    ],
)  # fmt: skip
def test_what_models_are_made_of_may_be_made(name: str) -> None:
    assert _kind(name) is RoleKind.CONSTRUCT


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("numpy.core.multiarray:_reconstruct", "array"),
        ("numpy._core.multiarray:scalar", "scalar"),
        ("_codecs:encode", "encode"),
        ("copyreg:_reconstructor", "class@0,class@1"),
        ("torch._tensor:_rebuild_from_type_v2", "call@0:2"),
        ("torch._utils:_rebuild_tensor_v2", ""),
    ],
)
def test_a_function_that_pickles_call_says_what_its_arguments_must_be(name: str, wanted: str) -> None:
    module, _, qualname = name.partition(":")
    found = role(module, qualname)
    assert found.kind is RoleKind.FUNCTION
    assert set(wanted.split(",")) <= set(found.predicate.split(","))


@pytest.mark.parametrize(
    "name", ["torch:float32", "torch:strided", "numpy:log1p", "torch.nn.functional:relu"]
)
def test_a_value_may_be_named(name: str) -> None:
    assert _kind(name) is RoleKind.VALUE


@pytest.mark.parametrize(
    "name",
    [
        "os:system", "posix:system", "nt:system", "builtins:eval", "subprocess:Popen", "importlib:import_module",
        "runpy:run_path", "collections:namedtuple", "functools:reduce", "operator:methodcaller", "string:Formatter",
        "asyncore:dispatcher", "distutils.spawn:spawn", "annotationlib:ForwardRef", "idlelib.pyshell:main",
    ],
)  # fmt: skip
def test_the_standard_library_is_denied_unless_it_was_allowed(name: str) -> None:
    assert _kind(name) is RoleKind.DENIED


@pytest.mark.parametrize(
    ("name", "effect"),
    [
        ("torch:load", ""),
        ("torch.hub:load", ""),
        ("numpy:load", ""),
        ("pandas:read_pickle", ""),
        ("joblib:load", ""),
        ("numpy.testing._private.utils:runstring", "runs code"),
        ("torch.utils.cpp_extension:load", ""),
        ("sklearn.datasets:fetch_openml", ""),
    ],
)
def test_a_gadget_says_what_it_reaches(name: str, effect: str) -> None:
    module, _, qualname = name.partition(":")
    found = role(module, qualname)
    assert found.kind is RoleKind.GADGET
    assert found.effect.startswith(effect)
    assert found.effect
    assert found.library


def test_a_reexport_is_what_it_stands_for() -> None:
    assert role("torch", "load").effect == role("torch.serialization", "load").effect


@pytest.mark.parametrize(
    "name",
    [
        "collections:OrderedDict.__init__", "collections:_sys.modules", "numpy:__builtins__", "torch:nn.Module.__class__",
        "torch.nn.modules.linear:Linear.__init__.__globals__", "sklearn.pipeline:Pipeline.fit.__globals__", "sklearn:__init__",
        "yours:os.system", "yours:Thing.__reduce__", "__main__:Thing.__class__",
    ],
)  # fmt: skip
def test_a_name_that_reaches_into_objects_is_denied(name: str) -> None:
    assert _kind(name) is RoleKind.DENIED


@pytest.mark.parametrize(
    "name",
    ["os\r:system", "\u0455ubprocess:Popen", "os:", ":system", "torch :load", "a..b:c", "m:" + "a" * 500],
)
def test_a_name_that_no_import_could_have_is_denied(name: str) -> None:
    found = _kind(name)
    assert found is RoleKind.DENIED


def test_names_that_nobody_mined_are_unknown() -> None:
    assert role("yours.model", "Net") == Role(RoleKind.UNKNOWN)
    assert role("yours.model", "Config.Mode") == Role(RoleKind.UNKNOWN)
    assert role("__main__", "Net") == Role(RoleKind.UNKNOWN)
    inside = role("sklearn.nowhere", "Thing")
    assert inside.kind is RoleKind.UNKNOWN
    assert inside.library.startswith("scikit-learn ")


def test_a_member_of_a_class_is_a_value_that_nothing_may_call_for_it() -> None:
    found = role("sklearn.pipeline", "Pipeline.predict")
    assert found.kind is RoleKind.VALUE
    assert found.effect


def test_torchscript_classes_are_made_in_torchscript_archives_only() -> None:
    assert torchscript_role("__torch__.net", "Net").kind is RoleKind.CONSTRUCT
    assert role("__torch__.net", "Net").kind is RoleKind.UNKNOWN
    assert torchscript_role("os", "system").kind is RoleKind.DENIED
    assert torchscript_role("__torch__", "a\nb").kind is RoleKind.DENIED


def test_every_module_of_this_python_is_the_standard_library() -> None:
    allowed = {name for name in tables.directory().standard | sys.stdlib_module_names if name.isascii()}
    assert {role(name, "anything").kind for name in allowed} == {RoleKind.DENIED}


@given(st.text(max_size=30), st.text(max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_two_texts_have_a_role(module: str, name: str) -> None:
    found = role(module, name)
    assert found.kind in RoleKind


@given(
    st.lists(
        st.sampled_from(["os", "sys", "torch", "numpy", "Net", "_a", "__class__", "load", "x"]),
        min_size=1,
        max_size=4,
    ),
    st.lists(
        st.sampled_from(["system", "Linear", "__globals__", "load", "_x", "modules"]), min_size=2, max_size=4
    ),
)
@settings(max_examples=200, deadline=None)
def test_no_dunder_anywhere_in_a_dotted_name_is_usable(module: list[str], name: list[str]) -> None:
    found = role(".".join(module), ".".join(name))
    if "__class__" in name or "__globals__" in name:
        assert found.kind not in USABLE


# --- the data as a whole -----------------------------------------------------------------------------------------------


def _all_roles() -> list[tuple[str, str, Role]]:
    found = []
    for path in sorted(tables.DATA.glob("*.idx")):
        held = tables.Table(path)
        for module in held.modules():
            for name in held.names(module):
                one = held.find(module, name)
                assert one is not None
                found.append((module, name, one))
    return found


def test_a_name_has_one_role_and_known_predicates() -> None:
    seen: dict[tuple[str, str], Role] = {}
    for module, name, one in _all_roles():
        assert (module, name) not in seen, (module, name)
        seen[module, name] = one
        assert {word for word, _ in predicates(one)} <= PREDICATES, one
        if one.kind is RoleKind.GADGET:
            assert one.effect, (module, name)
        if one.predicate:
            assert one.kind in (RoleKind.CONSTRUCT, RoleKind.FUNCTION)
    assert len(seen) > 50_000


def test_what_reaches_an_effect_is_never_usable_under_another_name() -> None:
    usable = {f"{module}.{name}" for module, name, one in _all_roles() if one.kind in USABLE}
    for module, name, one in _all_roles():
        if one.kind is RoleKind.GADGET and "." not in name:
            assert f"{module}.{name}" not in usable


def test_the_version_follows_the_data() -> None:
    assert len(index_version()) == 16
    assert tables.directory().releases["numpy"][-1][1]  # with the hash of the wheel


def test_a_table_is_read_in_parts() -> None:
    held = tables.Table(tables.DATA / "torch.idx")
    assert held.find("torch.nn.modules.linear", "Linear") is not None
    assert 0 < len(held._parts) < len(held._header.parts)


# --- predicates --------------------------------------------------------------------------------------------------------


def test_predicates_are_taken_apart() -> None:
    both = Role(RoleKind.FUNCTION, "class@0,call@1:2,source@_key")
    assert predicates(both) == [("class", (0,)), ("call", (1, 2)), ("source", ("_key",))]
    assert predicates(Role(RoleKind.CONSTRUCT)) == []


def test_source_that_only_defines_functions_is_inert() -> None:
    assert is_inert_source("\ndef _parse_args(self, a, loc=0, scale=1):\n    return (a,), loc, scale\n")
    assert is_inert_source("def f(self, size=None):\n    return self._argcheck_rvs(self, size=size)\n")


@pytest.mark.parametrize(
    "text",
    [
        "import os", "def f(a=__import__('os')):\n return a", "@f\ndef f(): return 1", "def f(a: g()): return 1",
        "def f(): return __import__('os')", "def f(self): return self.__class__", "x = 1", "def f() -> g(): return 1",
        "def f(self): return self.a.b", "def f(self):\n import os\n return 1", "(" * 5000, "def f(: return",
        "def f(): return 1\n" * 2000,
    ],
)  # fmt: skip
def test_source_that_could_do_more_is_not_inert(text: str) -> None:
    assert not is_inert_source(text)
