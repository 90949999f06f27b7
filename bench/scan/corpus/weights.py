"""safetensors and GGUF files that lie about bounds, carry something else along, or hold a chat template that runs code."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from bench.scan.corpus.sample import Sample, chance_of, stream

Made = Iterator[tuple[str, bytes] | tuple[str, bytes, str]]

# Jinja that reaches Python's internals, in every spelling found. What it would run is a harmless echo.
TEMPLATES = {
    "cycler": "{{ cycler.__init__.__globals__.os.popen('echo pwned').read() }}",
    "joiner": "{{ joiner.__init__.__globals__['os'].system('echo pwned') }}",
    "lipsum": "{{ lipsum.__globals__['os'].popen('echo pwned').read() }}",
    "lipsum-builtins": "{{ lipsum.__globals__.__builtins__.eval('1') }}",
    "namespace": "{{ namespace.__init__.__globals__.os.system('echo pwned') }}",
    "range": "{{ range.__class__.__base__.__subclasses__() }}",
    "dict": "{{ dict.mro()[-1].__subclasses__()[140]('echo pwned', shell=True) }}",
    "string-class": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "string-class-items": "{{ ''['__class__']['__mro__'][1]['__subclasses__']() }}",
    "attr-filter": "{{ ''|attr('__class__')|attr('__mro__') }}",
    "attr-concat": "{{ ''|attr('__cla' ~ 'ss__') }}",
    "attr-join": "{{ ''|attr(['__', 'class', '__']|join) }}",
    "attr-format": "{{ ''|attr('%s%s%s'|format('__', 'class', '__')) }}",
    "attr-reverse": "{{ ''|attr('__ssalc__'|reverse) }}",
    "attr-hex": "{{ ''|attr('\\x5f\\x5fclass\\x5f\\x5f') }}",
    "attr-lower": "{{ ''|attr('__CLASS__'|lower) }}",
    "attr-from-message": "{{ messages|attr(messages[0]['role']) }}",
    "map-attribute": "{{ [cycler]|map(attribute='__init__.__globals__.os')|list }}",
    "map-filter": "{{ ['']|map('attr', '__class__')|list }}",
    "selectattr": "{{ [cycler]|selectattr('__init__.__globals__')|list }}",
    "groupby": "{{ [cycler]|groupby('__init__.__globals__')|list }}",
    "self-init": "{{ self.__init__.__globals__.__builtins__.__import__('os').popen('echo pwned') }}",
    "self-template": "{{ self._TemplateReference__context.cycler.__init__.__globals__.os }}",
    "url-for": "{{ url_for.__globals__.os.popen('echo pwned') }}",
    "get-flashed": "{{ get_flashed_messages.__globals__['os'] }}",
    "set-then-call": "{% set a = cycler.__init__ %}{% set b = a.__globals__ %}{{ b.os.system('echo pwned') }}",
    "with-then-call": "{% with a = ''.__class__ %}{{ a.__base__.__subclasses__() }}{% endwith %}",
    "in-if": "{% if cycler.__init__.__globals__.os.system('echo pwned') %}x{% endif %}",
    "in-for": "{% for c in ''.__class__.__base__.__subclasses__() %}{{ c }}{% endfor %}",
    "in-for-else": "{% for m in [] %}{% else %}{{ joiner.__init__.__globals__ }}{% endfor %}",
    "in-macro": "{% macro f(x=cycler.__init__.__globals__) %}{{ x.os.popen('echo pwned') }}{% endmacro %}{{ f() }}",
    "in-call-block": "{% call(x) lipsum.__globals__.os.popen('echo') %}{% endcall %}",
    "in-filter-block": "{% filter attr('__class__') %}x{% endfilter %}",
    "in-tool-loop": "{% for t in tools %}{{ t.__class__.__init__.__globals__ }}{% endfor %}",
    "in-test": "{{ 1 is sameas(cycler.__init__.__globals__.os.system('echo pwned')) }}",
    "in-slice": "{{ messages[cycler.__init__.__globals__.os.system('echo'):] }}",
    "raise-exception": "{{ raise_exception.__globals__['os'].popen('echo pwned') }}",
    "strftime-now": "{{ strftime_now.__globals__.__builtins__.exec('x') }}",
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import '/etc/passwd' as x %}",
    "extends": "{% extends '/var/run/secrets/kubernetes.io/serviceaccount/token' %}",
    "whitespace": "{{-  cycler . __init__ . __globals__  -}}",
    "comment-split": "{# fine #}{{ cycler{# x #}.__init__ }}{{ cycler.__init__.__globals__ }}",
    "long-innocent-first": "{% for m in messages %}{{ m.content }}{% endfor %}" * 400
    + "{{ cycler.__init__.__globals__.os }}",
    "after-endless-loop": "{% for a in range(99999999) %}{% for b in range(99999999) %}x{% endfor %}{% endfor %}",
    "multiply": "{{ 'x' * 9999999999 }}",
    "format-method": "{{ '{0.__class__.__init__.__globals__}'.format(cycler) }}",
    "format-map": "{{ '{a.__class__}'.format_map({'a': cycler}) }}",
    "generator-frame": "{{ (messages|map('upper')).gi_frame.f_globals }}",
    "code-object": "{{ lipsum.func_globals.os }}",
}
GRAY_TEMPLATES = frozenset(
    {"after-endless-loop", "multiply", "comment-split", "attr-from-message", "format-map"}
)


def tensors(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file; `header` as JSON, or as exactly these bytes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def safetensors(chance: Random) -> Made:
    """Headers that do not hold."""
    good = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
    data = b"\0" * 16
    bad = stream(chance)
    yield "length-2-63", tensors({"a": good}, data, 2**63)
    yield "length-over-file", tensors({"a": good}, data, 10_000)
    yield "length-zero", tensors(b"", data), "gray"
    yield "length-short", tensors({"a": good}, data, 9)
    yield "not-json", tensors(b"{'a': 1}", data)
    yield "json-list", tensors([good], data)
    yield (
        "json-duplicate-key",
        tensors(
            b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
            data,
        ),
    )
    yield "offsets-over-file", tensors({"a": {**good, "shape": [400], "data_offsets": [0, 1600]}}, data)
    yield "offsets-reversed", tensors({"a": {**good, "data_offsets": [16, 0]}}, data)
    yield "offsets-negative", tensors({"a": {**good, "data_offsets": [-16, 0]}}, data)
    yield "offsets-2-64", tensors({"a": {**good, "data_offsets": [2**64 - 16, 2**64]}}, data)
    yield "offsets-three", tensors({"a": {**good, "data_offsets": [0, 8, 16]}}, data)
    yield "offsets-text", tensors({"a": {**good, "data_offsets": ["0", "16"]}}, data)
    yield "overlap", tensors({"a": good, "b": {**good, "data_offsets": [8, 24]}}, data + b"\0" * 8)
    yield (
        "hole-with-pickle",
        tensors(
            {"a": good, "b": {**good, "data_offsets": [16 + len(bad), 32 + len(bad)]}}, data + bad + data
        ),
    )
    yield "trailing-pickle", tensors({"a": good}, data + bad)
    yield "trailing-elf", tensors({"a": good}, data + b"\x7fELF\x02\x01\x01" + b"\0" * 60)
    yield "shape-mismatch", tensors({"a": {**good, "shape": [3, 3]}}, data)
    yield "shape-2-62", tensors({"a": {**good, "shape": [2**62, 4]}}, data)
    yield "shape-negative", tensors({"a": {**good, "shape": [-2, -2]}}, data)
    yield "dtype-unknown", tensors({"a": {**good, "dtype": "O"}}, data)
    yield "dtype-number", tensors({"a": {**good, "dtype": 7}}, data)
    yield "metadata-not-text", tensors({"__metadata__": {"x": {"y": 1}}, "a": good}, data)
    yield "metadata-list", tensors({"__metadata__": [], "a": good}, data)
    yield "name-traversal", tensors({"../../etc/passwd": good}, data), "gray"
    yield "depth-100000", tensors(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", data)
    yield "header-is-pickle", tensors(bad, data)
    yield "two-million-keys", tensors(b"{" + b",".join(b'"%d":0' % n for n in range(200_000)) + b"}", data)
    yield "cut-data", tensors({"a": good}, data[:7])
    yield "missing-dtype", tensors({"a": {"shape": [2, 2], "data_offsets": [0, 16]}}, data)


def text(value: str) -> bytes:
    """A GGUF string."""
    return struct.pack("<Q", len(value.encode())) + value.encode()


def pair(key: str, value: Any) -> bytes:
    """A GGUF key and value: text, or an unsigned number of 32 bits."""
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    return text(key) + struct.pack("<II", 4, value)


def tensor(name: str = "w", dimensions: tuple[int, ...] = (4, 4), kind: int = 0, offset: int = 0) -> bytes:
    """A GGUF tensor's entry."""
    return (
        text(name)
        + struct.pack("<I", len(dimensions))
        + b"".join(struct.pack("<Q", d) for d in dimensions)
        + struct.pack("<IQ", kind, offset)
    )


def gguf_file(
    values: Mapping[str, Any], infos: tuple[bytes, ...] = (tensor(),), data: bytes = b"\0" * 64, **told: Any
) -> bytes:
    """A GGUF file; `told` changes version and counts, `raw` adds bytes after the pairs."""
    body: bytes = b"".join(pair(key, value) for key, value in values.items()) + told.get("raw", b"")
    head = struct.pack(
        "<4sIQQ",
        told.get("magic", b"GGUF"),
        told.get("version", 3),
        told.get("tensors", len(infos)),
        told.get("pairs", len(values)),
    )
    whole = head + body + b"".join(infos)
    return whole + b"\0" * (-len(whole) % 32) + data


def gguf(chance: Random) -> Made:
    """Counts, lengths, offsets and templates."""
    base = {"general.architecture": "llama", "general.name": "small"}
    for label, template in TEMPLATES.items():
        key = chance.choice(
            (
                "tokenizer.chat_template",
                "tokenizer.chat_template",
                "tokenizer.chat_template.tool_use",
                "tokenizer.chat_template.default",
            )
        )
        yield (
            f"template-{label}",
            gguf_file({**base, key: template}),
            "gray" if label in GRAY_TEMPLATES else "core",
        )
    yield "tensors-2-60", gguf_file(base, tensors=2**60)
    yield "tensors-two-told-one", gguf_file(base, tensors=2)
    yield "pairs-2-62", gguf_file(base, pairs=2**62)
    yield "pairs-one-more", gguf_file(base, pairs=3)
    yield "version-0", gguf_file(base, version=0), "gray"
    yield "version-9", gguf_file(base, version=9), "gray"
    yield "string-2-63", gguf_file(base, pairs=3, raw=text("k") + struct.pack("<IQ", 8, 2**63))
    yield "key-2-40", gguf_file(base, pairs=3, raw=struct.pack("<Q", 2**40) + b"k")
    yield "array-2-61", gguf_file(base, pairs=3, raw=text("k") + struct.pack("<IIQ", 9, 6, 2**61))
    yield "array-of-strings-2-60", gguf_file(base, pairs=3, raw=text("k") + struct.pack("<IIQ", 9, 8, 2**60))
    yield (
        "array-nested-1000",
        gguf_file(base, pairs=3, raw=text("k") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 1000),
    )
    yield "value-kind-99", gguf_file(base, pairs=3, raw=text("k") + struct.pack("<I", 99))
    yield "alignment-zero", gguf_file({**base, "general.alignment": 0})
    yield "alignment-3", gguf_file({**base, "general.alignment": 3})
    yield "alignment-text", gguf_file({**base, "general.alignment": "32"})
    yield "dimensions-5", gguf_file(base, (tensor(dimensions=(1,) * 5),))
    yield "dimensions-4-billion", gguf_file(base, (text("w") + struct.pack("<I", 2**32 - 1),))
    yield "dimension-overflow", gguf_file(base, (tensor(dimensions=(2**33, 2**33)),))
    yield "dimension-zero", gguf_file(base, (tensor(dimensions=(0, 4)),)), "gray"
    yield "offset-over-file", gguf_file(base, (tensor(offset=2**50),))
    yield "offset-unaligned", gguf_file(base, (tensor(offset=7),))
    yield "offset-overlap", gguf_file(base, (tensor("a"), tensor("b")))
    yield "kind-unknown", gguf_file(base, (tensor(kind=4711),))
    yield "name-200-characters", gguf_file(base, (tensor("w" * 200),)), "gray"
    yield "cut-in-header", gguf_file(base)[:30]
    yield "cut-in-tensors", gguf_file(base)[:110]
    yield "trailing-pickle", gguf_file(base) + stream(chance)
    yield "trailing-shell", gguf_file(base) + b"\n#!/bin/sh\necho pwned\n"
    yield "magic-big-endian-lie", gguf_file(base, magic=b"FUGG"), "gray"
    yield (
        "duplicate-key",
        gguf_file(base, pairs=4, raw=pair("general.name", "a") + pair("general.architecture", "x")),
        "gray",
    )


def samples(seed: int) -> Iterator[Sample]:
    """Every weights file."""
    for group, extension in ((safetensors, "safetensors"), (gguf, "gguf")):
        for made in group(chance_of(seed, f"weights:{extension}")):
            tier = made[2] if len(made) == 3 else "core"
            yield Sample(
                f"weights/{extension}/{made[0]}.{extension}",
                made[1],
                f"{extension}:{made[0]}",
                extension,
                tier,
            )
