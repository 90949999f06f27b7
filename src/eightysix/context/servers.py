"""Servers of Python that are told which application to import: `uvicorn package:app`. What is told of it is the module.

Read as carefully as any other word: the application is the first word that is no option's value and has the form
`module:attribute`; of it the module is shown, nothing behind the colon. An option that is not known to stand alone takes
the word behind it, so the value of an unknown option is never shown. What is not told this way (`gunicorn package.wsgi`, a
file's path, an application in a file of settings or a variable) is not known.
"""

from __future__ import annotations

from collections.abc import Mapping

from eightysix.context.argv import Words
from eightysix.context.packages import WITHHELD, looks_secret

__all__ = ["SERVERS", "application", "shown_application"]

_MAX_MODULE = 80

SERVERS: Mapping[str, frozenset[str]] = {
    "uvicorn": frozenset(),
    "gunicorn": frozenset(),
    "hypercorn": frozenset(),
    "granian": frozenset(),
    "daphne": frozenset(),
    "waitress": frozenset(),
    "waitress-serve": frozenset(),
    "fastapi": frozenset({"-e", "--entrypoint"}),
}
"""By the name of the program or module; the options that name the application, where no plain word does (uvicorn.dev/settings,
docs.gunicorn.org, hypercorn.readthedocs.io, github.com/emmett-framework/granian, github.com/django/daphne,
docs.pylonsproject.org/projects/waitress, fastapi.tiangolo.com/fastapi-cli)."""

_SWITCHES = frozenset(
    """--reload --factory --proxy-headers --access-log --use-colors --server-header --date-header --preload --preload-app
    --daemon -D --capture-output --debug --ws --call""".split()
)
"""Options that stand alone in each of `SERVERS` that has them, as those that begin with `--no-` do."""


def shown_application(server: str, words: Words) -> str:
    """What a summary shows of the application that `server` is given: `package.module:…`, empty where it is not told."""
    options = SERVERS.get(server)
    if options is None:
        return ""
    place, trusted = 0, words.words[: max(words.trusted, 0)]
    while place < len(trusted):
        word = trusted[place]
        name, equals, value = word.partition("=")
        if options and name in options:
            return _shown(value if equals else "".join(trusted[place + 1 : place + 2]))
        if not word.startswith("-"):
            if not options:
                return _shown(word)
            place += 1
        elif equals or word in _SWITCHES or word.startswith("--no-"):
            place += 1
        elif words.joined:
            return ""  # its value may be more than one word
        else:
            place += 2
    return ""


def _shown(word: str) -> str:
    module, colon, attribute = word.partition(":")
    plain = len(module) <= _MAX_MODULE and module.isascii() and not looks_secret(word)
    names = (*module.split("."), attribute.partition("(")[0].partition(".")[0])
    return f"{module}:{WITHHELD}" if colon and plain and all(name.isidentifier() for name in names) else ""


def application(summary: str) -> str:
    """The module of the application in a summary that `context.commands` made, empty where it names none."""
    before, _, last = summary.rpartition(" ")
    server = before.rpartition(" ")[2].rpartition("/")[2]
    return last.removesuffix(f":{WITHHELD}") if server in SERVERS and last.endswith(f":{WITHHELD}") else ""
