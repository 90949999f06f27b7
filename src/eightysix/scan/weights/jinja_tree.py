"""Parses the tags of a Jinja template into expressions, one tag after the other.

Not a parser that checks: whether an `endif` is missing is of no interest. What matters is that no expression which Jinja
would evaluate is left out, so the grammar is that of `jinja2.parser` 3.1 or a little wider, and what does not fit is an
error that becomes a finding.
"""

from __future__ import annotations

from collections.abc import Iterator

from eightysix.scan.weights.jinja_node import Node, Tag, joined
from eightysix.scan.weights.jinja_words import Token, TokenError, tokens

__all__ = ["TreeError", "tags"]

DEPTH = 60
"""Expressions in expressions: real templates stay below 10. Python's own stack is far from its end at this."""

CHAIN = 100
"""Attributes, items, calls and filters one behind the other."""


TreeError = TokenError


def tags(text: str) -> Iterator[Tag]:
    """The tags of a template in order. Raises `TreeError`."""
    words: list[Token] = []
    for token in tokens(text):
        if token.kind == "begin":
            words = [token]
        elif token.kind == "end":
            yield _Parser(words, token.place).tag()
        else:
            words.append(token)


_BARE = frozenset(
    "else endif endfor endmacro endcall endfilter endset endblock endwith endautoescape break continue generation "
    "endgeneration pluralize endtrans".split()
)
"""Tags without an expression; `generation` is a tag of Hugging Face transformers around the assistant's words."""

_COMPARE = frozenset({"==", "!=", "<", ">", "<=", ">="})
_ARITHMETIC = frozenset({"+", "-", "~", "*", "/", "//", "%", "**"})


class _Parser:
    """Recursive descent over the tokens of one tag."""

    def __init__(self, words: list[Token], end: int) -> None:
        self.opening = words[0]
        self.words = words
        self.index = 1
        self.end = Token("end", "", end)
        self.depth = 0

    # --- tokens

    @property
    def now(self) -> Token:
        return self.words[self.index] if self.index < len(self.words) else self.end

    def next(self) -> Token:
        token = self.now
        self.index += 1
        return token

    def mark(self, value: str) -> bool:
        """Take this mark if it is next."""
        if self.now.kind == "mark" and self.now.value == value:
            self.index += 1
            return True
        return False

    def word(self, value: str) -> bool:
        """Take this name if it is next."""
        if self.now.kind == "name" and self.now.value == value:
            self.index += 1
            return True
        return False

    def need(self, value: str) -> None:
        if not self.mark(value):
            raise TreeError(f"{value} is missing", self.now.place)

    def need_name(self) -> str:
        token = self.next()
        if token.kind != "name":
            raise TreeError("a name is missing", token.place)
        return token.value

    # --- tags

    def tag(self) -> Tag:
        place = self.opening.place
        if self.opening.value == "{{":
            found = Tag("print", place, kids=(self.several(),))
        else:
            found = self.statement(self.need_name(), place)
        if self.now.kind != "end":
            raise TreeError("something follows the expression", self.now.place)
        return found

    def statement(self, word: str, place: int) -> Tag:
        if word in _BARE:
            if word == "endblock" and self.now.kind == "name":
                self.index += 1
            return Tag(word, place)
        if word in ("if", "elif", "do", "extends", "include", "import", "autoescape"):
            return self.simple(word, place)
        if word == "for":
            names = self.targets("in")
            kids = [self.several(conditions=False)]
            if self.word("if"):
                kids.append(self.expression())
            self.word("recursive")
            return Tag(word, place, names, tuple(kids))
        if word == "set":
            return self.assignment(place)
        if word in ("macro", "call"):
            return self.callable(word, place)
        if word == "filter":
            return Tag(word, place, kids=(self.filters(Node("none", place), first=True),))
        if word == "block":
            name = self.need_name()
            while self.word("scoped") or self.word("required"):
                pass
            return Tag(word, place, (name,))
        if word == "with":
            return self.bindings(place)
        if word == "from":
            return Tag(word, place, kids=(self.imported(),))
        self.index = len(self.words)
        return Tag(f"unknown {word}", place)

    def simple(self, word: str, place: int) -> Tag:
        kids = (self.several(),)
        if word in ("include", "import"):
            self.index = len(
                self.words
            )  # "ignore missing", "with context", "as name": the tag is reported as it is
        return Tag(word, place, kids=kids)

    def imported(self) -> Node:
        node = self.expression()
        self.index = len(self.words)
        return node

    def targets(self, until: str) -> tuple[str, ...]:
        """Names that are set: `a`, `a, b`, `(a, b)`, `space.a`."""
        names: list[str] = []
        while not self.word(until):
            token = self.next()
            if token.kind == "name":
                names.append(token.value)
            elif token.kind != "mark" or token.value not in "(),.":
                raise TreeError("no target to set", token.place)
        return tuple(names)

    def assignment(self, place: int) -> Tag:
        names: list[str] = []
        while self.now.kind == "name" or (self.now.kind == "mark" and self.now.value in "(),."):
            token = self.next()
            if token.kind == "name":
                names.append(token.value)
        if self.mark("="):
            return Tag("set", place, tuple(names), (self.several(),))
        kids = (self.filters(Node("none", place)),) if self.now.kind == "mark" else ()
        return Tag("set block", place, tuple(names), kids)

    def bindings(self, place: int) -> Tag:
        names: list[str] = []
        kids: list[Node] = []
        while self.now.kind != "end":
            names.append(self.need_name())
            self.need("=")
            kids.append(self.expression())
            self.mark(",")
        return Tag("with", place, tuple(names), tuple(kids))

    def callable(self, word: str, place: int) -> Tag:
        """`macro name(a, b=1)` or `call(a) expression`."""
        names = [self.need_name()] if word == "macro" else []
        kids: list[Node] = []
        if self.mark("("):
            while not self.mark(")"):
                names.append(self.need_name())
                if self.mark("="):
                    kids.append(self.expression())
                self.mark(",")
        if word == "call":
            kids.append(self.expression())
        return Tag(word, place, tuple(names), tuple(kids))

    # --- expressions

    def several(self, conditions: bool = True) -> Node:
        place = self.now.place
        items = [self.expression(conditions)]
        single = True
        while self.mark(","):
            single = False
            if self.now.kind == "end" or (self.now.kind == "mark" and self.now.value in ")=]}"):
                break
            items.append(self.expression(conditions))
        return items[0] if single else Node("list", place, kids=tuple(items))

    def expression(self, conditions: bool = True) -> Node:
        self.depth += 1
        if self.depth > DEPTH:
            raise TreeError("expressions nest too deep", self.now.place)
        node = self.either()
        while conditions and self.word("if"):
            place = self.now.place
            kids = [node, self.either()]
            if self.word("else"):
                kids.append(self.expression())
            node = Node("if", place, kids=tuple(kids))
        self.depth -= 1
        return node

    def either(self) -> Node:
        """`or` and `and` bind weakest; which of them is outer changes nothing for the judgement."""
        kids, operators = [self.negation()], []
        while self.now.kind == "name" and self.now.value in ("or", "and"):
            operators.append(self.next().value)
            kids.append(self.negation())
        return joined(kids, operators)

    def negation(self) -> Node:
        count = 0
        while self.word("not"):
            count += 1
        node = self.comparison()
        return Node("unary", node.place, "not", (node,)) if count else node

    def comparison(self) -> Node:
        kids = [self.arithmetic()]
        while True:
            token = self.now
            if token.kind == "mark" and token.value in _COMPARE:
                self.index += 1
            elif self.word("in"):
                pass
            elif token.kind == "name" and token.value == "not" and self.peek_in():
                self.index += 2
            else:
                return joined(kids, ["compare"] * (len(kids) - 1))
            kids.append(self.arithmetic())

    def peek_in(self) -> bool:
        after = self.words[self.index + 1] if self.index + 1 < len(self.words) else self.end
        return after.kind == "name" and after.value == "in"

    def arithmetic(self) -> Node:
        """All operators between values, from left to right: precedence changes nothing for the judgement."""
        kids, operators = [self.unary()], []
        while self.now.kind == "mark" and self.now.value in _ARITHMETIC:
            operators.append(self.next().value)
            kids.append(self.unary())
        return joined(kids, operators)

    def unary(self) -> Node:
        count = 0
        while self.now.kind == "mark" and self.now.value in ("-", "+"):
            self.index += 1
            count += 1
        node = self.postfix(self.primary())
        node = self.filters(node)
        return Node("unary", node.place, "-", (node,)) if count else node

    def primary(self) -> Node:
        token = self.next()
        if token.kind == "name":
            return Node("name", token.place, token.value)
        if token.kind == "number":
            return Node("number", token.place, token.value)
        if token.kind == "text":
            value, source = [token.value], [token.source]
            while self.now.kind == "text":
                more = self.next()
                value.append(more.value)
                source.append(more.source)
            return Node("text", token.place, "".join(value), source="".join(source))
        if token.kind == "mark" and token.value == "(":
            return self.inside(token, ")")
        if token.kind == "mark" and token.value == "[":
            return self.inside(token, "]")
        if token.kind == "mark" and token.value == "{":
            return self.table(token)
        raise TreeError("an expression is missing", token.place)

    def inside(self, opening: Token, closing: str) -> Node:
        items: list[Node] = []
        commas = 0
        while not self.mark(closing):
            items.append(self.expression())
            if not self.mark(","):
                self.need(closing)
                break
            commas += 1
        if closing == ")" and len(items) == 1 and not commas:
            return items[0]
        return Node("list", opening.place, kids=tuple(items))

    def table(self, opening: Token) -> Node:
        items: list[Node] = []
        while not self.mark("}"):
            items.append(self.expression())
            self.need(":")
            items.append(self.expression())
            if not self.mark(","):
                self.need("}")
                break
        return Node("list", opening.place, kids=tuple(items))

    def postfix(self, node: Node) -> Node:
        for _ in range(CHAIN):
            token = self.now
            if self.mark("."):
                name = self.next()
                if name.kind not in ("name", "number"):
                    raise TreeError("a name is missing", name.place)
                # `a.0.1` arrives as one number; what it says is no name either way
                node = Node("attr", name.place, name.value, (node,))
            elif self.mark("["):
                node = Node("item", token.place, kids=(node, self.subscript()))
            elif self.mark("("):
                node = Node("call", token.place, kids=(node, *self.arguments()))
            else:
                return node
        raise TreeError("a chain is too long", self.now.place)

    def subscript(self) -> Node:
        place = self.now.place
        parts: list[Node] = []
        sliced = False
        while not self.mark("]"):
            if self.mark(":"):
                sliced = True
            elif not self.mark(","):
                parts.append(self.expression())
        if len(parts) == 1 and not sliced:
            return parts[0]
        return Node("slice" if sliced else "list", place, kids=tuple(parts))

    def arguments(self) -> tuple[Node, ...]:
        kids: list[Node] = []
        while not self.mark(")"):
            token = self.now
            if self.mark("*") or self.mark("**"):
                kids.append(Node("named", token.place, token.value, (self.expression(),)))
            elif token.kind == "name" and self.assigns():
                self.index += 2
                kids.append(Node("named", token.place, token.value, (self.expression(),)))
            else:
                kids.append(self.expression())
            if not self.mark(","):
                self.need(")")
                break
        return tuple(kids)

    def assigns(self) -> bool:
        after = self.words[self.index + 1] if self.index + 1 < len(self.words) else self.end
        return after.kind == "mark" and after.value == "="

    def dotted(self) -> str:
        name = self.need_name()
        while self.mark("."):
            name += "." + self.need_name()
        return name

    def filters(self, node: Node, first: bool = False) -> Node:
        """Filters, tests and calls behind a value; `first` where a filter's name stands without its bar."""
        for _ in range(CHAIN):
            token = self.now
            if first or self.mark("|"):
                first = False
                name = self.dotted()
                more = self.arguments() if self.mark("(") else ()
                node = Node("filter", token.place, name, (node, *more))
            elif self.word("is"):
                node = self.test(node, token.place)
            elif self.mark("("):
                node = Node("call", token.place, kids=(node, *self.arguments()))
            else:
                return node
        raise TreeError("a chain is too long", self.now.place)

    def test(self, node: Node, place: int) -> Node:
        self.word("not")
        name = self.dotted()
        token = self.now
        more: tuple[Node, ...] = ()
        if self.mark("("):
            more = self.arguments()
        elif token.kind in ("text", "number") or self.begins_value(token):
            more = (self.postfix(self.primary()),)
        return Node("test", place, name, (node, *more))

    def begins_value(self, token: Token) -> bool:
        if token.kind == "mark":
            return token.value in ("[", "{")
        return token.kind == "name" and token.value not in ("else", "or", "and", "if", "is", "in", "not")
