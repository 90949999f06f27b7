"""Text from telemetry inside of Markdown: nothing of it becomes a link, an image, HTML, a mention or a reference.

For CommonMark (spec.commonmark.org) with GitHub's extensions (github.github.com/gfm), as GitHub, GitLab, Azure DevOps and
the importers of Jira read it. Those look for `@name`, `#12`, `!12`, `ABC-12`, bare hosts and `:emoji:` in text *after*
it was unescaped, so a backslash does not help: whatever is more than a word stands in a code span, where nobody looks.
"""

from __future__ import annotations

from collections.abc import Iterable

from eightysix.report.inert import LIMIT, inert

__all__ = ["block", "cell", "prose", "row", "span", "unlogged"]

_PLAIN = frozenset(".,;()'\"%+–’…·→×?")
"""Characters of a word, beside letters and digits, that mean nothing to any of the renderers in the middle of a line."""
_LONGEST_BLOCK = 40_000
"""Columns of a command: it is shown whole, or it would be another one."""


def unlogged(text: str) -> str:
    """`text` in which no log of a CI system finds a command: Azure Pipelines and GitHub look for `##vso[` and `##[`
    anywhere in a line (learn.microsoft.com, logging commands)."""
    return text.replace("##", "#\\x23") if "##" in text else text


def span(text: str, limit: int = LIMIT) -> str:
    """`text` as a code span; a dash where there is none."""
    safe = unlogged(inert(text, limit))
    if not safe:
        return "–"
    fence = "`" * (_longest_run(safe, "`") + 1)
    blank = " " if safe[0] == "`" or safe[-1] == "`" or (safe[0] == safe[-1] == " ") else ""
    return f"{fence}{blank}{safe}{blank}{fence}"


def prose(text: str, limit: int = LIMIT) -> str:
    """`text` as a sentence: plain words stay, runs of anything else become code spans."""
    told: list[str] = []
    run: list[str] = []
    for word in unlogged(inert(text, limit)).split(" "):
        head, core, tail = _parted(word)
        if run and (head or not core):
            told.append(span(" ".join(run), _LONGEST_BLOCK))
            run = []
        if not core:
            told.append(word)
            continue
        run.append(core)
        if head or tail:
            told.append(head + span(" ".join(run), _LONGEST_BLOCK) + tail)
            run = []
    if run:
        told.append(span(" ".join(run), _LONGEST_BLOCK))
    return " ".join(told) or "–"


def _parted(word: str) -> tuple[str, str, str]:
    """What of `word` stands before, in and after a code span; nothing in it where the word is plain."""
    if _is_plain(word):
        return "", "", ""
    core = word.strip(",;(")
    while core.endswith((".", ":", ")", ",", ";")) and len(core) > 1:
        core = core[:-1]
    start = word.find(core)
    head, tail = word[:start], word[start + len(core) :]
    if core and _is_plain(head) and _is_plain(tail.replace(":", "")):
        return head, core, tail
    return "", word, ""


def _is_plain(word: str) -> bool:
    """Whether `word` is nothing but a word. Hosts (a full stop or colon inside), references (a dash before digits), and
    long hexadecimal words (commits) are not."""
    if word.endswith(":"):
        return len(word) > 1 and ":" not in word[:-1] and _is_plain(word[:-1])
    if not all(character.isalnum() or character in _PLAIN for character in word):
        parts = word.rstrip(".,;)").replace("/", "-").split("-")
        return len(parts) > 1 and all(part.isascii() and part.isalpha() for part in parts)
    if word.isdigit() or not word:
        return True
    digits = sum(character.isdigit() for character in word)
    inside = "." in word.strip(".…")
    if inside and not word.replace(".", "").strip("(),;%+").isdigit():
        return False
    return not (digits and len(word) >= 7) and word != "+" and not _begins_list(word)


def _begins_list(word: str) -> bool:
    """`1.` and `1)` begin a list where a line begins."""
    return word[:-1].isdigit() and word[-1] in ".)"


def cell(text: str) -> str:
    """Markdown of ours in a table, where a bar would begin the next cell, also inside of a code span."""
    return text.replace("|", "\\|")


def row(cells: Iterable[str]) -> str:
    """One line of a table."""
    return "| " + " | ".join(map(cell, cells)) + " |\n"


def block(lines: Iterable[str]) -> str:
    """`lines` as a code block for a shell, each on a line of its own, whole."""
    safe = [unlogged(inert(line, _LONGEST_BLOCK)) for line in lines if line]
    fence = "`" * max([3, *(_longest_run(line, "`") + 1 for line in safe)])
    return f"{fence}sh\n" + "".join(f"{line}\n" for line in safe) + f"{fence}\n"


def _longest_run(text: str, character: str) -> int:
    longest = run = 0
    for one in text:
        run = run + 1 if one == character else 0
        longest = max(longest, run)
    return longest
