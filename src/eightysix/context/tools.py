"""Reads the arguments of tools with subcommands (pip, git, az, ...) and of file transfers (curl, wget)."""

from __future__ import annotations

from eightysix.context.argv import Command, Summary, Words
from eightysix.context.destinations import classify
from eightysix.context.programs import Grammar
from eightysix.context.runtimes import Transfer
from eightysix.model.event import Artifact

__all__ = ["read_tool", "read_transfer"]

_IDLE = frozenset({"--version", "--help", "-h", "-V"})
"""Flags that print something and do no more, when no package follows (apt-get's `-V` shows versions of what it installs)."""

_NOWHERE = frozenset({"loopback", "metadata", "wire-server", "api-server"})
"""Destinations that nothing lands from."""

_LONGEST_VERB = 24
_MAX_GUESSES = 32
"""Shortened flags that are looked up in one command line; each costs a look at all of the tool's flags."""
_MAX_CLUSTER = 8


def read_tool(shown: str, grammar: Grammar, words: Words, cwd: str) -> Command:
    """A tool that `grammar` describes, called `shown`: its verb, the flags that are known, and what the reader accepts."""
    reading = _Reading(shown, grammar, cwd, cut=words.cut)
    for index, word in enumerate(words.words):
        reading.word(word, trusted=index < words.trusted)
        if reading.done:
            break
    return reading.command()


class _Reading:
    """One pass over the words of a tool."""

    def __init__(self, shown: str, grammar: Grammar, cwd: str, *, cut: bool) -> None:
        self.done = False
        self._cut = cut
        self._guesses = _MAX_GUESSES
        self._grammar = grammar
        self._summary = Summary(shown)
        self._cwd = cwd
        self._verb = ""
        self._growing = bool(grammar.verbs)  # whether more words may belong to the verb
        self._foreign = False  # whether the verb is none that we know
        self._activity = grammar.bare
        self._flags: set[str] = set()
        self._positionals = 0
        self._remote = False
        self._after_dashes = False
        self._pending = ""  # the flag whose value comes next, `?` after an unknown one

    def command(self) -> Command:
        """What the words amount to."""
        grammar, activity = self._grammar, self._activity
        if self._cut and self._growing and "install" in grammar.verbs.values():
            # NOTE: arguments so long that the verb was not seen; nobody but an evader writes that.
            activity = "install"
        if self._verb in grammar.conditional and self._flags & grammar.wanted:
            activity = "install"
        if self._verb in grammar.copies and not self._remote:
            activity = grammar.otherwise
        printed = self._flags & _IDLE and not self._positionals
        if activity in ("install", "download") and (printed or self._flags & grammar.idle):
            activity = grammar.otherwise
        return self._summary.command(activity, grammar.tool)

    def word(self, word: str, *, trusted: bool) -> None:
        """Take in the next word."""
        if self._pending:
            flag, self._pending = self._pending, ""
            if flag != "?" or not (word.startswith("-") or self._continues(word)):
                self._value(flag, word, trusted=trusted)
                return
        if word == "--" and not self._after_dashes:
            self._after_dashes = True
        elif word.startswith("-") and len(word) > 1 and not self._after_dashes:
            self._flag(word, trusted=trusted)
        elif word:
            self._positional(word, trusted=trusted)

    def _continues(self, word: str) -> bool:
        """Whether `word` makes the verb one of the grammar's, or the beginning of one."""
        if not self._growing or len(word) > _LONGEST_VERB:
            return False
        longer = f"{self._verb} {word}" if self._verb else word
        return any(verb == longer or verb.startswith(longer + " ") for verb in self._grammar.verbs)

    def _positional(self, word: str, *, trusted: bool) -> None:
        grammar = self._grammar
        if self._continues(word):
            self._verb = f"{self._verb} {word}" if self._verb else word
            self._summary.add(word)
            self._growing = any(verb.startswith(self._verb + " ") for verb in grammar.verbs)
            self._activity = grammar.verbs.get(self._verb, grammar.otherwise)
            return
        if self._growing and self._verb not in grammar.verbs:
            self._growing, self._foreign = False, True
            self._activity = (
                grammar.otherwise if self._verb or grammar.bare != "interpreter" else grammar.bare
            )
        if self._foreign or (not grammar.verbs and grammar.otherwise):
            if word in grammar.words:
                self._summary.add(word)
            return
        self._positionals += 1
        self._remote = self._remote or (self._positionals == 1 and "://" in word)
        only_first = self._verb in grammar.first
        given = bool(self._flags & grammar.named) and only_first
        if trusted and grammar.reader and not given and self._verb not in grammar.unread:
            self._summary.accept(grammar.reader, word, self._cwd)
        self.done = only_first or self._verb in grammar.unread  # what follows belongs to another program

    def _flag(self, word: str, *, trusted: bool) -> None:
        name, equals, value = word.partition("=")
        if not name.startswith("--") and len(name) > 2 and not self._known(name):
            self._cluster(word, trusted=trusted)
            return
        name = self._full(name)
        if self._note(name) or not self._takes_value(name):
            self._pending = "" if equals or self._known(name) else "?"
            return
        self._flags.add(name)
        self._summary.add(name)
        if equals:
            self._value(name, value, trusted=trusted)
        else:
            self._pending = name

    def _cluster(self, word: str, *, trusted: bool) -> None:
        """Short flags in one word (`-qU`), the last perhaps with its value (`-rlist.txt`)."""
        for place, letter in enumerate(word[1:_MAX_CLUSTER], 1):
            flag = "-" + letter
            if self._note(flag):
                continue
            if self._takes_value(flag):
                self._flags.add(flag)
                self._summary.add(flag)
                rest = word[place + 1 :]
                if rest:
                    self._value(flag, rest, trusted=trusted)
                else:
                    self._pending = flag
            return

    def _note(self, flag: str) -> bool:
        """Note and show a flag without value, if `flag` is one."""
        if flag not in self._grammar.switches and (
            flag not in _IDLE | self._grammar.idle or self._takes_value(flag)
        ):
            return False
        self._flags.add(flag)
        self._summary.add(flag)
        return True

    def _known(self, flag: str) -> bool:
        return flag in self._grammar.switches or flag in _IDLE or self._takes_value(flag)

    def _takes_value(self, flag: str) -> bool:
        grammar = self._grammar
        return flag in grammar.values or flag in grammar.files or flag in grammar.urls

    def _full(self, name: str) -> str:
        """A long flag in full, where `name` is an unambiguous beginning of one (optparse and argparse allow that)."""
        if len(name) < 5 or not name.startswith("--") or self._known(name) or not self._guesses:
            return name
        self._guesses -= 1
        grammar = self._grammar
        flags = (
            flag for kind in (grammar.switches, grammar.values, grammar.files, grammar.urls) for flag in kind
        )
        found = {flag for flag in flags if flag.startswith(name)}
        return found.pop() if len(found) == 1 else name

    def _value(self, flag: str, value: str, *, trusted: bool) -> None:
        """The value of a flag: of lists of requirements the file name, of indexes the host, of editable installs the
        place; nothing else."""
        if not trusted:
            return
        if flag in self._grammar.files:
            self._summary.accept("file", value)
        elif flag in self._grammar.urls and "://" in value:
            artifacts = list(self._summary.artifacts)
            self._summary.accept("url", value)
            self._summary.artifacts[:] = artifacts  # where from, not what
        elif flag in ("-e", "--editable") and ("/" in value or value.startswith(".")):
            self._summary.accept("place", value, self._cwd)


def read_transfer(name: str, transfer: Transfer, words: Words) -> Command:
    """curl and wget: a download, unless they only send, only ask, or talk to the machine or its platform.

    What no address can be read of (a list of URLs in a file) counts as a download.
    """
    summary, flags, skip = Summary(name), set[str](), False
    for index, word in enumerate(words.words):
        if word.startswith("-") and len(word) > 1:
            used, skip = _flags(transfer, word)
            flags |= used
            for flag in sorted(used & transfer.switches):
                summary.add(flag if flag.startswith("--") else f"-{flag}")
            if word.startswith("--url="):
                word = word[6:]
            elif word == "--url":
                skip = False
                continue
            else:
                continue
        elif skip:
            skip = False
            continue
        if index < words.trusted and _is_address(word):
            summary.accept("url", word if "://" in word else f"http://{word}")
    hosts = [artifact.name for artifact in summary.artifacts]
    outside = [host for host in hosts if classify("", 0, host) not in _NOWHERE]
    summary.artifacts[:] = [Artifact("url", host) for host in outside]
    sends = flags & transfer.upload and not flags & transfer.output
    idle = flags & transfer.idle or (hosts and not outside) or sends
    return summary.command("" if idle else "download", transfer.tool)


def _is_address(word: str) -> bool:
    """Whether a word that belongs to no flag is what to fetch: a URL, or a bare host with a dot."""
    host = word.partition("/")[0]
    return "://" in word or ("." in host and "@" not in word and "=" not in host)


def _flags(transfer: Transfer, word: str) -> tuple[set[str], bool]:
    """The known flags in one word, and whether the next word is a value."""
    if word.startswith("--"):
        name, equals, _ = word.partition("=")
        alone = name in transfer.switches or name in transfer.idle
        known = alone or name in transfer.output or name in transfer.upload
        return ({name} if known else set()), not alone and not equals
    used: set[str] = set()
    for place, letter in enumerate(word[1:], 1):
        used.add(letter)
        if letter not in transfer.switches and letter not in transfer.idle:
            return used, place == len(word) - 1
    return used, False
