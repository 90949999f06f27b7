"""One pickle for every mined gadget: called in one of the ways a pickle can call, at a protocol by chance."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from pathlib import Path

from bench.scan.corpus import assembler as a
from bench.scan.corpus.mine import GRAY
from bench.scan.corpus.sample import Sample, chance_of

MINED = Path(__file__).with_name("gadgets.csv")
# What a gadget is handed, by the effect it has.
ARGUMENTS = {
    "code": "print('pwned')",
    "command": "echo pwned",
    "import": "pwned_module",
    "native": "./pwned.so",
    "unpickle": "./pwned.pkl",
    "delete": "./pwned",
    "write": "./pwned",
    "network": "http://127.0.0.1:9/pwned",
    "read": "./pwned",
}


def samples(seed: int, mined: Path = MINED) -> Iterator[Sample]:
    """A sample for each line of the list."""
    with mined.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            name = f"{row['module']}.{row['name']}"
            chance = chance_of(seed, f"gadget:{name}")
            position, required = int(row["position"]), int(row["required"])
            data = gadget(row["module"], row["name"], ARGUMENTS[row["effect"]], (position, required), chance)
            extension = chance.choice(("pkl", "pkl", "pickle", "bin", "dat", "model", "joblib"))
            yield Sample(
                f"gadget/{number:03d}_{name}.{extension}",
                data,
                f"gadget:{row['effect']}:{name}",
                "pickle",
                "gray" if row["effect"] in GRAY else "core",
            )


def gadget(module: str, name: str, text: str, shape: tuple[int, int], chance: random.Random) -> bytes:
    """A stream that calls `name` with `text` at its position, other required arguments filled with None."""
    position, required = shape
    # A dotted name needs protocol 4: below it, find_class takes one attribute only.
    version = chance.choice((4, 5)) if "." in name else chance.choice((0, 1, 2, 3, 4, 4, 5))
    argument = a.unicode_(text) if version == 0 else (a.short if version > 3 else a.binunicode)(text)
    filler = a.NONE
    count = max(required, position + 1, 1)
    arguments = [argument if index == position else filler for index in range(count)]
    what = a.named(module, name) if version > 3 else a.global_(module, name)
    way = chance.randrange(6)
    if version < 4 and way == 0:
        body = a.inst(module, name, *arguments)
    elif way == 1:
        body = a.obj(what, *arguments)
    elif way == 2 and version >= 2:
        body = what + a.MARK + b"".join(arguments) + a.TUPLE + a.NEWOBJ
    elif version == 0:
        body = what + a.MARK + b"".join(arguments) + a.TUPLE + a.REDUCE
    else:
        body = a.call(what, *arguments)
    if way == 3:
        body += a.POP + (a.MARK + a.DICT if version == 0 else a.EMPTY_DICT)
    elif way == 4:
        key = a.unicode_("weights") if version == 0 else a.binunicode("weights")
        body = (a.MARK + a.DICT if version == 0 else a.EMPTY_DICT) + key + body + a.SETITEM
    return a.framed(body, version) if version > 3 and chance.random() < 0.5 else a.whole(body, version)
