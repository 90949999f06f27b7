"""What of an exported value may be told: command lines as summaries, URLs without what may be a key, texts without tokens.

Exports hold whatever somebody wrote into them. Nobody can tell every secret from a word, so where secrets usually stand
(arguments, queries, members with telling names, bodies) nothing is repeated but what is known to be harmless.
"""

from __future__ import annotations

from collections.abc import Mapping

from eightysix.context.packages import WITHHELD, host_name, looks_secret, starts_as_token, told_path
from eightysix.sources.defender import command_of_line

__all__ = [
    "MAX_DEPTH",
    "command_line",
    "free_text",
    "is_secret_name",
    "path_text",
    "plain_text",
    "url_text",
    "value_without_secrets",
]

MAX_DEPTH = 32
"""Deepest nesting that is repeated; documented columns stay below 10."""

_LONGEST_COMMAND = 4096
_SECRET_NAMES = (
    "accountkey", "apikey", "authorization", "clientsecret", "connectionstring", "credentials", "passwd", "password",
    "privatekey", "pwd", "refreshtoken", "sastoken", "secret", "secrettext", "secretvalue", "sharedkey", "sig", "signature",
    "token", "accesstoken", "idtoken", "bearer", "cookie", "setcookie", "proxyauthorization", "stringdata", "data",
    "requestbody", "responsebody", "body", "env", "args", "command", "value", "oldvalue", "newvalue", "parameters",
    "environmentvariables", "lastappliedconfiguration", "key1", "key2", "primarykey", "secondarykey", "customdata",
    "userdata", "protectedsettings",
)  # fmt: skip
"""Names of members that hold secrets, or may hold anything: without the marks between their words, in small letters
(judged from Azure's resource schemas and from what clients send)."""

_SECRET_WORDS = frozenset(_SECRET_NAMES)
_SECRET_ENDS = (
    "password",
    "secret",
    "apikey",
    "accesskey",
    "privatekey",
    "connectionstring",
    "sastoken",
    "pwd",
)
_MARKS = str.maketrans("", "", "-_.$ ")
_ASSIGNING = ("password=", "pwd=", "secret=", "token=", "sig=", "key=", "bearer ", "authorization:")


def plain_text(text: str) -> str:
    """A documented text (an id, a name, a word): withheld where it holds a token, and of a URL no query."""
    if len(text) < 8:
        return text
    if "://" in text or ("?" in text and "/" in text):
        return free_text(text)
    if starts_as_token(text):
        return WITHHELD
    if "=" in text or " " in text or ":" in text:
        small = text.lower()
        if any(sign in small for sign in _ASSIGNING):
            return WITHHELD
    return text


def free_text(text: str) -> str:
    """Text that anybody may have written: words that look like secrets are withheld, URLs are cut."""
    small = text.lower()
    if any(sign in small for sign in _ASSIGNING) and "://" not in text:
        return WITHHELD
    return " ".join(_word(word) for word in text.split(" "))


def _word(word: str) -> str:
    if "://" in word:
        return url_text(word)
    small = word.lower()
    if looks_secret(word) or any(sign in small for sign in _ASSIGNING):
        return WITHHELD
    return word


def url_text(url: str) -> str:
    """Scheme, host, port and path of a URL, or the path alone: nobody's name, no query, no fragment."""
    scheme, found, rest = url.partition("://")
    if not found:
        scheme, rest = "", url
    for mark in "?#;":
        rest = rest.partition(mark)[0]
    if not found:
        return told_path(rest)
    authority, slash, path = rest.partition("/")
    host, colon, port = authority.rpartition("@")[2].partition(":")
    known = host_name(host) or (WITHHELD if host else "")
    if "@" in path or not scheme.isalnum():  # what stands before may be a password with a slash in it
        return f"{WITHHELD}://{WITHHELD}"
    ending = f"{colon}{port}" if port.isdigit() and port.isascii() else ""
    return f"{scheme}://{known}{ending}{slash}{told_path(path)}"


def path_text(path: str) -> str:
    """The path of a file, without parts that look like secrets."""
    return told_path(path[:_LONGEST_COMMAND])


def command_line(line: str) -> str:
    """A command line as detection tells it: the program, and words that are known to be harmless (`context.commands`)."""
    return command_of_line("", line).summary


def is_secret_name(name: str) -> bool:
    """Whether a member of this name may hold a secret."""
    small = name.rpartition("/")[2].translate(_MARKS).lower()
    return small in _SECRET_WORDS or small.endswith(_SECRET_ENDS)


def value_without_secrets(value: object, depth: int = 0) -> object:
    """Any JSON value: members whose names promise secrets are withheld, texts are read as `free_text`."""
    if isinstance(value, str):
        return free_text(value) if len(value) >= 8 else value
    if isinstance(value, Mapping):
        if depth >= MAX_DEPTH:
            return WITHHELD
        return {
            str(name): WITHHELD if is_secret_name(str(name)) else value_without_secrets(one, depth + 1)
            for name, one in value.items()
            if not looks_secret(str(name))
        }
    if isinstance(value, list):
        return WITHHELD if depth >= MAX_DEPTH else [value_without_secrets(one, depth + 1) for one in value]
    return value
