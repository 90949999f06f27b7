"""Judges a Jinja template by what its expressions reach for, default deny.

Templates of chat models format messages: loops, comparisons, string methods. What leads out of a template is Python's
object graph, by attributes whose names nobody else uses (`__class__`, `gi_frame`), or by a name that is built so that
it is not seen. Nothing is rendered. The names of Python's internals come from the interpreter, those of Jinja's filters
and tests from its documentation.
"""

from __future__ import annotations

from msgspec import Struct

from eightysix.scan.weights.jinja_fold import Folder
from eightysix.scan.weights.jinja_names import (
    ATTRIBUTE_FIRST,
    ATTRIBUTE_NAMED,
    COMPARED,
    FILTERS,
    FUNCTIONS,
    LOADING,
    METHODS,
    OWN_METHODS,
    SPECIAL,
    TESTS,
    dunders,
    fields,
    internal,
    spelled,
)
from eightysix.scan.weights.jinja_node import Node, Tag
from eightysix.scan.weights.jinja_tree import TreeError, tags
from eightysix.scan.weights.shown import shown

__all__ = ["LARGEST", "Judgement", "judge_template"]

LARGEST = 1 << 20
"""Characters of a template that is judged; the longest of public models have some 20,000."""

_NODES = 200_000


class Judgement(Struct, frozen=True):
    """One thing about a template. `rule` is an id of the catalogue; `place` counts characters of the template."""

    rule: str
    why: str
    place: int


def judge_template(text: str, chat: bool = True) -> list[Judgement]:
    """What is wrong with the Jinja template `text`; empty for nothing.

    `chat` says that it is a chat template, whose environment is known: then functions, filters, tests and tags that
    such an environment does not offer count too, and so does text that is no template. Without it (any other `.jinja`
    file) only the way out counts. Never raises because of what `text` holds; the time is linear in its length.
    """
    if len(text) > LARGEST:
        return [Judgement("template-broken", f"{len(text):,} characters; {LARGEST:,} are read", 0)]
    judge = _Judge(chat)
    try:
        # All of it first: what a loop sets at its end is used at its start.
        parsed = list(tags(text))
    except TreeError as error:
        judge.broken(text, str(error), error.place)
        return judge.found
    for tag in parsed:
        judge.learn(tag)
    for tag in parsed:
        judge.tag(tag)
    if judge.folder.spent:
        judge.add("template-broken", "it has more expressions than are computed here", 0)
    return judge.found if chat else [one for one in judge.found if one.rule == "template-escape"]


class _Judge:
    """Walks the tags. One finding a place and a reason."""

    def __init__(self, chat: bool) -> None:
        self.chat = chat
        self.values: dict[str, list[Node]] = {}
        self.folder = Folder(self.values)
        self.macros: set[str] = set()
        self.blocks: set[str] = set()
        self.found: list[Judgement] = []
        self.nodes = 0

    def add(self, rule: str, why: str, place: int) -> None:
        if len(self.found) < 50 and all(one.why != why or one.rule != rule for one in self.found):
            self.found.append(Judgement(rule, why, place))

    def escape(self, why: str, node: Node) -> None:
        self.add("template-escape", why, node.place)

    def unknown(self, why: str, place: int) -> None:
        self.add("template-unknown", why, place)

    def broken(self, text: str, why: str, place: int) -> None:
        # What Jinja would not render either; but where a template is expected, a name that leads out is no accident. Any
        # other text with braces in it may be a program or a page about templates.
        for start in dunders(text) if self.chat else ():
            if internal(start):
                self.add("template-escape", f"a template that cannot be parsed names {start}", place)
                return
        if self.chat:
            self.add("template-broken", f"{why} (character {place:,})", place)

    def learn(self, tag: Tag) -> None:
        """Which names the template sets, and to what."""
        if tag.word == "macro":
            self.macros.add(tag.sets[0])
        elif tag.word == "block":
            self.blocks.add(tag.sets[0])
        if tag.word in ("set", "set block", "with", "for", "macro"):
            for name in tag.sets:
                kept = self.values.setdefault(name, [])
                if len(kept) < 8:
                    kept.extend(tag.kids[:2])

    def tag(self, tag: Tag) -> None:
        if tag.word in LOADING:
            self.unknown(f"it loads another template ({tag.word})", tag.place)
        elif tag.word.startswith("unknown "):
            self.unknown(f"the tag {shown(tag.word[8:])} is not Jinja's", tag.place)
        for name in tag.sets:
            if internal(name):
                self.add("template-escape", f"it sets {shown(name)}", tag.place)
        for kid in tag.kids:
            self.walk(kid)

    def walk(self, root: Node) -> None:
        stack = [root]
        while stack:
            node = stack.pop()
            self.nodes += 1
            if self.nodes > _NODES:
                self.add("template-broken", f"more than {_NODES:,} expressions", node.place)
                return
            handler = getattr(self, f"on_{node.kind}", None)
            if handler is not None:
                handler(node)
            kids = node.kids
            if node.kind in ("call", "attr", "item") and kids[0].kind == "name":
                kids = kids[1:]  # judged with the node itself
            stack.extend(kids)

    # --- expressions

    def on_attr(self, node: Node) -> None:
        self.name_of(node.value, node, "the attribute")
        self.base(node)

    def base(self, node: Node) -> None:
        """What is looked into by `node`."""
        inner = node.kids[0]
        if inner.kind != "name" or inner.value not in SPECIAL or inner.value in self.values:
            return
        if inner.value == "self" and node.kind == "attr" and node.value in self.blocks:
            return
        if inner.value == "lipsum":
            self.escape("it looks into the function lipsum", node)
        else:
            self.unknown(f"it looks into {inner.value}", node.place)

    def name_of(self, name: str, node: Node, what: str) -> None:
        """Judge a name by which something is reached."""
        if internal(name):
            self.escape(f"{what} {shown(name)}", node)
        elif name.startswith("_") and name.strip("_"):
            self.unknown(f"{what} {shown(name)}", node.place)

    def on_item(self, node: Node) -> None:
        self.base(node)
        self.key(node.kids[1], node, "the item")

    def key(self, key: Node, node: Node, what: str) -> None:
        if key.kind == "text":
            self.name_of(key.value, node, what)
        elif key.kind not in ("number", "slice"):
            folded = self.folder.fold(key)
            if isinstance(folded, str):
                self.name_of(folded, node, f"{what} (built from pieces)" if key.kind != "name" else what)
            elif self.folder.built(key):
                self.unknown("it builds the name of an item from pieces", node.place)

    def on_text(self, node: Node) -> None:
        hits = [name for name in dunders(node.value) if internal(name)]
        if hits and (node.value.strip() in hits or "{" in node.value):
            self.escape(f"a text names {shown(hits[0])}", node)
        elif hits:
            self.unknown(f"a text names {shown(hits[0])}", node.place)
        if "\\" in node.source and spelled(node.source):
            self.unknown("a text spells letters as escapes", node.place)

    def on_binary(self, node: Node) -> None:
        if "*" in node.value:
            self.amount(node)
        folded = self.folder.fold(node)
        if isinstance(folded, str) and any(internal(name) for name in dunders(folded)):
            self.escape(f"a text built from pieces names {shown(folded)}", node)

    def on_name(self, node: Node) -> None:
        name = node.value
        if internal(name):
            self.escape(f"the name {shown(name)}", node)
        elif name in ("lipsum", "cycler", "joiner") and name not in self.values:
            self.unknown(f"it uses {name} as a value", node.place)

    def on_call(self, node: Node) -> None:
        callee = node.kids[0]
        if callee.kind == "name":
            name = callee.value
            if internal(name):
                self.escape(f"it calls {shown(name)}", node)
            elif name == "range":
                self.amount(node)
            elif name not in FUNCTIONS and name not in self.macros:
                self.unknown(f"it calls {shown(name)}", node.place)
        elif callee.kind == "attr":
            self.method(callee, node)
        elif callee.kind == "item" and callee.kids[1].kind != "text" and self.folder.built(callee.kids[1]):
            self.escape("it calls an item whose name is built from pieces", node)
        elif callee.kind == "item" and self.own_list(callee):
            pass  # macros in a list of the template's own, as in Jamba's
        else:
            self.unknown("it calls something computed", node.place)

    def amount(self, node: Node) -> None:
        """Repetitions beyond any message: a template is rendered with every request."""
        if any(kid.kind == "number" and len(kid.value) > 7 for kid in node.kids):
            self.unknown("it repeats something millions of times", node.place)

    def method(self, callee: Node, node: Node) -> None:
        name = callee.value
        if name in ("format", "format_map"):
            self.format(callee.kids[0], node)
        elif name not in METHODS and name not in OWN_METHODS and not self.own_block(callee):
            self.unknown(f"it calls the method {shown(name)}", node.place)

    def own_list(self, callee: Node) -> bool:
        base, key = callee.kids
        return base.kind == "name" and base.value in self.values and key.kind in ("name", "number")

    def own_block(self, callee: Node) -> bool:
        inner = callee.kids[0]
        return inner.kind == "name" and inner.value == "self" and callee.value in self.blocks

    def format(self, base: Node, node: Node) -> None:
        """`'{0.a}'.format(x)` reads attributes."""
        text = self.folder.fold(base)
        if not isinstance(text, str):
            self.unknown("it formats with a text that is not known", node.place)
        elif any(internal(name) for name in dunders(text)):
            self.escape(f"it formats with {shown(text)}", node)
        elif any("." in field or "[" in field for field in fields(text)):
            self.unknown("its format reads attributes or items", node.place)

    def on_filter(self, node: Node) -> None:
        name, arguments = node.value, node.kids[1:]
        plain = [one for one in arguments if one.kind != "named"]
        named = {one.value: one.kids[0] for one in arguments if one.kind == "named"}
        if name not in FILTERS:
            self.unknown(f"the filter {shown(name)}", node.place)
        elif name == "attr":
            self.reached(plain[0] if plain else named.get("name"), node, "the filter attr with")
        elif name == "map" and plain:
            self.mapped(plain, node)
        elif name in ("select", "reject") and plain:
            self.tested(plain[0], node)
        elif name in ATTRIBUTE_FIRST and plain:
            self.dotted(plain[0], node)
            if len(plain) > 1 and name != "groupby":
                self.tested(plain[1], node)
        if name in ATTRIBUTE_NAMED and "attribute" in named:
            self.dotted(named["attribute"], node)
        elif name in ("join", "sum", "sort", "unique", "min", "max") and len(plain) > 1:
            self.dotted(plain[-1], node)

    def mapped(self, plain: list[Node], node: Node) -> None:
        """`map('name', ...)` applies the filter of that name."""
        name = self.folder.fold(plain[0])
        if name == "attr":
            self.reached(plain[1] if len(plain) > 1 else None, node, "the filter attr with")
        elif not isinstance(name, str) or name not in FILTERS:
            self.unknown("it maps a filter that is not known", node.place)

    def reached(self, name: Node | None, node: Node, what: str) -> None:
        folded = self.folder.fold(name) if name is not None else None
        if isinstance(folded, str) and not internal(folded):
            self.unknown(f"{what} {shown(folded)}", node.place)
        else:
            self.escape(f"{what} {shown(folded) if isinstance(folded, str) else 'a computed name'}", node)

    def dotted(self, name: Node, node: Node) -> None:
        folded = self.folder.fold(name)
        if isinstance(folded, str):
            for part in folded.split("."):
                self.name_of(part, node, "the attribute")
        elif name.kind != "number" and folded is None:
            self.unknown("it computes the name of an attribute", node.place)

    def tested(self, name: Node, node: Node) -> None:
        folded = self.folder.fold(name)
        if not isinstance(folded, str) or folded not in TESTS | COMPARED:
            self.unknown("it selects by a test that is not known", node.place)

    def on_test(self, node: Node) -> None:
        if node.value not in TESTS:
            self.unknown(f"the test {shown(node.value)}", node.place)
