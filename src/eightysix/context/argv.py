"""Arguments as words, and what may be told of them: the floor under `context.commands`."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from eightysix.context.packages import READERS, WITHHELD
from eightysix.model.event import Artifact

__all__ = [
    "MAX_ARGUMENTS",
    "MAX_ARTIFACTS",
    "MAX_SUMMARY",
    "Command",
    "Summary",
    "Words",
    "split",
    "split_joined",
    "take",
]

MAX_ARGUMENTS = 4096
"""Characters of arguments that are looked at. Tetragon reads about as many itself (github.com/cilium/tetragon,
bpf/process/bpf_execve_event.c); a megabyte of arguments costs no more than this."""

MAX_SUMMARY = 120
"""Longest summary: what fits on a line beside a place and a time."""

MAX_ARTIFACTS = 32
"""Artifacts that one command may name; a longer list of packages is cut."""


class Command(Struct, frozen=True, gc=False):
    """What a command line means. `tool` is the recognised program, empty for any other; for the values of `activity` see
    `context.commands`."""

    summary: str
    activity: str
    artifacts: tuple[Artifact, ...]
    tool: str


class Words(Struct, frozen=True, gc=False):
    """Arguments as words. Words from `trusted` on are cut or wrongly quoted: they may be compared, never repeated.
    `cut` tells that there were more, `joined` that one word may stand here as several (`split_joined`)."""

    words: list[str]
    trusted: int
    cut: bool = False
    joined: bool = False

    def after(self, count: int) -> Words:
        """The words behind the first `count`."""
        return Words(self.words[count:], self.trusted - count, self.cut, self.joined)


def split(text: str) -> Words:
    """Words of Tetragon's one text: joined by blanks, and in double quotes, with nothing escaped, where they hold a blank
    (github.com/cilium/tetragon, pkg/process/args.go).

    That cannot always be undone: where a quote stands inside a word or none closes, no word from the first quote on is
    trusted.
    """
    cut = len(text) > MAX_ARGUMENTS
    if cut:
        text = text[:MAX_ARGUMENTS]
    if '"' in text:
        return _split_quoted(text, cut=cut)
    words = text.split(" ") if text else []
    return Words(words, len(words) - cut, cut)


def _split_quoted(text: str, *, cut: bool) -> Words:
    words: list[str] = []
    place, first, broken = 0, -1, False
    if text.startswith(' "'):
        place = 1  # a blank stands before a first word that is quoted
    while place < len(text):
        if text[place] != '"':
            end = text.find(" ", place)
            end = len(text) if end < 0 else end
            words.append(text[place:end])
            place = end + 1
        else:
            first = len(words) if first < 0 else first
            end = text.find('" ', place + 1)
            if end < 0:
                closed = len(text) > place + 1 and text.endswith('"')
                end = len(text) - closed
                broken = broken or not closed
            words.append(text[place + 1 : end])
            place = end + 2
        if '"' in words[-1]:
            broken = True
            first = len(words) - 1 if first < 0 else first
    return Words(words, first if broken else len(words) - cut, cut)


_PLAIN_LETTERS = frozenset("#0123456fgijklnopqrstvwyBDEILNORSZV")
"""Short flags of curl and wget that take nothing, or a path, a number or a URL: none of those has a blank in it."""

_PLAIN_FLAGS = frozenset(
    """
    --compressed --fail --fail-with-body --silent --show-error --insecure --location --location-trusted --output --remote-name
    --remote-name-all --output-dir --create-dirs --retry --retry-delay --max-time --connect-timeout --quiet --no-check-certificate
    --output-document --directory-prefix --no-verbose --tries --timeout --continue --ipv4 --ipv6 --http1.1 --http2 --tlsv1.2
    """.split()
)

_TELLING = (
    *(
        "config",
        "option",
        "header",
        "pass",
        "token",
        "auth",
        "secret",
        "data",
        "body",
        "message",
        "env",
        "cookie",
    ),
    *("credential", "key", "agent", "form", "value"),
)
"""Parts of long flags whose values may be a sentence with a secret in it."""


def split_joined(text: str, *, strict: bool, program_first: bool) -> Words:
    """Words of Falco's `proc.args`: joined by blanks, with nothing quoted (github.com/falcosecurity/libs, proc.args).

    A value with blanks cannot be told from several words there: of `-H Authorization: Bearer abc` the last word looks like
    one that stands alone. So no word is trusted from the first flag on whose value may be such: any unknown one where
    `strict` (curl, wget), else those whose names tell of it. `program_first`: flags before the first other word are the
    interpreter's own, which take no such value.
    """
    cut = len(text) > MAX_ARGUMENTS
    words = text[:MAX_ARGUMENTS].split(" ") if text else []
    trusted = len(words) - cut
    program = not program_first
    for place, word in enumerate(words[: max(trusted, 0)]):
        if not word.startswith("-") or len(word) < 2:
            program = program or bool(word)
        elif program and not _is_plain(word, strict=strict):
            trusted = place
            break
        if '"' in word or "'" in word:
            trusted = place
            break
    return Words(words, max(trusted, 0), cut, joined=True)


def _is_plain(flag: str, *, strict: bool) -> bool:
    name = flag.partition("=")[0]
    if name.startswith("--"):
        return name in _PLAIN_FLAGS or not (strict or any(part in name for part in _TELLING))
    return _PLAIN_LETTERS.issuperset(name[1:]) if strict else name not in ("-c", "-C", "-H", "-p")


def take(arguments: Sequence[str]) -> Words:
    """Words of a list, as far as `MAX_ARGUMENTS` characters go."""
    words: list[str] = []
    left = MAX_ARGUMENTS
    for word in arguments:
        if len(word) >= left:
            words.append(word[:left])
            return Words(words, len(words) - 1, cut=True)
        words.append(word)
        left -= len(word) + 1
    return Words(words, len(words))


class Summary:
    """Puts a summary and artifacts together within their limits."""

    __slots__ = ("_left", "_words", "artifacts")

    def __init__(self, start: str) -> None:
        self._words = [start]
        self._left = MAX_SUMMARY - len(start) - 2
        self.artifacts: list[Artifact] = []

    def add(self, word: str) -> None:
        """Append `word`; when the line is full, the mark that something was left out."""
        if self._left < 0:
            return
        self._left -= len(word) + 1
        self._words.append(word if self._left >= 0 else WITHHELD)

    def accept(self, reader: str, word: str, cwd: str = "") -> tuple[Artifact, ...]:
        """Read `word` as `reader` does; show it and note its artifacts, each once, when it may be repeated."""
        landing = READERS[reader](word, cwd)
        if landing is None:
            return ()
        for artifact in landing.artifacts:
            if artifact not in self.artifacts and len(self.artifacts) < MAX_ARTIFACTS:
                self.artifacts.append(artifact)
        self.add(landing.shown)
        return landing.artifacts

    def command(self, activity: str, tool: str) -> Command:
        """The finished command; only what lands has artifacts."""
        artifacts = tuple(self.artifacts) if activity in ("install", "download") else ()
        return Command(" ".join(self._words), activity, artifacts, tool)
