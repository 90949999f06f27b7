"""One self-contained page: style, program and data in a file that asks nobody for anything.

A page is a title, an `Asset` (what `web/report` builds: one program, one style sheet) and the data as JSON. The content
security policy lets exactly these two run, by their SHA-256, and nothing load: `default-src 'none'`. Data stands in a
block that no browser runs; the program reads it as JSON and writes it as text, never as markup.
Nothing here knows what the page is about: other reports have their own `Asset`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from html import escape
from importlib.resources import files

from msgspec import Struct

from eightysix.model.stored import as_json
from eightysix.report.inert import inert, is_harmless

__all__ = ["Asset", "embedded", "load", "policy", "write_page"]

TITLE_LIMIT = 120
"""Columns of a page's title: browsers show fewer."""

_FORBIDDEN = ("</script", "</style", "<!--")
"""What would end a block of the page early, whatever the case of its letters
(html.spec.whatwg.org/multipage/scripting.html#restrictions-for-contents-of-script-elements)."""

_MARKUP = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


class Asset(Struct, frozen=True):
    """What a page runs and looks like. `licences` are those of the libraries inside, written into the page."""

    script: str
    style: str
    licences: str


def load(name: str) -> Asset:
    """The asset called `name` that lies in this package."""
    folder = files(__package__)
    script, style, licences = (
        (folder / f"{name}{suffix}").read_text("utf-8") for suffix in (".js", ".css", ".licences.txt")
    )
    return Asset(script, style, licences)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def policy(asset: Asset) -> str:
    """The content security policy of a page with `asset`."""
    return (
        f"default-src 'none'; script-src '{_hash(asset.script)}'; style-src '{_hash(asset.style)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def embedded(value: object) -> str:
    """`value` as JSON that may stand inside of a page: no markup in it, and nothing that acts on a terminal or reorders."""
    text = as_json(value).decode()
    table = dict(_MARKUP)
    if not text.isascii() or "\x7f" in text:
        table |= {ord(character): _units(character) for character in set(text) if not is_harmless(character)}
    return text.translate(table)


def _units(character: str) -> str:
    data = character.encode("utf-16-be")
    return "".join(f"\\u{data[at]:02x}{data[at + 1]:02x}" for at in range(0, len(data), 2))


def write_page(title: str, asset: Asset, data: object, *, plain: str) -> Iterator[str]:
    """The page in pieces. `plain` is what is said where scripts do not run."""
    for text in (asset.script, asset.style):
        if any(end in text.lower() for end in _FORBIDDEN):
            raise ValueError("a bundle holds the end of its own block")  # `make web` refuses to build one
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy(asset))}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(inert(title, TITLE_LIMIT))}</title>\n"
        f"<style>{asset.style}</style>\n</head>\n<body>\n"
        f'<div id="app"></div>\n<noscript><p>{escape(inert(plain))}</p></noscript>\n'
    )
    yield f'<script type="application/json" id="data">{embedded(data)}</script>\n'
    yield f'<script type="text/plain" id="licences">{embedded(asset.licences)}</script>\n'
    yield f"<script>{asset.script}</script>\n</body>\n</html>\n"
