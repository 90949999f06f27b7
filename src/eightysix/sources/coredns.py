"""One line of CoreDNS's query log, in its default format (coredns.io/plugins/log):

    {remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" {rcode} {>rflags} {rsize} {duration}

with what stands before it: the level, and a time and a stream's name where the container runtime or kubectl added them.
"""

from __future__ import annotations

from msgspec import Struct

from eightysix.context.destinations import address
from eightysix.context.packages import host_name
from eightysix.model.timestamps import to_ns

__all__ = ["MAX_LINE", "Question", "asks_for_address", "question_of", "question_parts"]

MAX_LINE = 2048
"""Longest line that is looked at: a name has at most 255 characters, everything else is short."""

_PROTOCOLS = frozenset({"udp", "tcp"})
_CLASS = " IN "


class Question(Struct, frozen=True, gc=False):
    """Who asked (an address), for which type and name, and what came of it. `time_ns` is 0 where the line has none."""

    time_ns: int
    client: str
    kind: str
    name: str
    code: str


def question_of(line: bytes) -> Question | None:
    """The query of a line of text, None where it is something else."""
    if len(line) > MAX_LINE or b'" ' not in line or b" IN " not in line or line[:1] == b"{":
        return None
    try:
        return question_parts(line.decode())
    except UnicodeDecodeError:
        return None


def question_parts(text: str) -> Question | None:
    """The same for text."""
    if len(text) > MAX_LINE:
        return None
    head, quote, rest = text.partition('"')
    asked, closing, answer = rest.partition('" ')
    if not quote or not closing:
        return None
    words, ends = asked.split(" "), answer.split()
    if len(words) != 7 or words[1] != "IN" or words[3] not in _PROTOCOLS or len(ends) < 4:
        return None
    if not (words[0].isalnum() and ends[0].isalpha() and ends[0].isupper() and words[4].isdigit()):
        return None
    before = head.split()
    if len(before) < 3 or before[-2] != "-" or not before[-1].isdigit():
        return None
    client = address(before[-3].rpartition(":")[0])
    if not client:
        return None
    return Question(_time(before[:-3]), client, words[0], host_name(words[2]), ends[0])


def asks_for_address(question: Question) -> bool:
    """Whether a connection may follow: an address was asked for, and there is one."""
    return question.kind in ("A", "AAAA") and question.code == "NOERROR" and bool(question.name)


def _time(words: list[str]) -> int:
    """The first word that is a time: kubectl's, or that of the container runtime's log."""
    for word in words[:4]:
        if word[:1].isdigit():
            try:
                return to_ns(word)
            except ValueError:
                continue
    return 0
