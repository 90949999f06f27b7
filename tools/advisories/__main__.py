"""Write `src/eightysix/scan/environment/advisories.json` from `snapshot.toml`: `python -m tools.advisories`.

The table is kept by hand, because no database of advisories can be had without asking a service about every package.
Each entry says where its range was read. This checks what can be checked: the form of ids, that every range is one of
PEP 440, that a fixed version is outside of its range, and that nothing is there twice.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

HERE = Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "src/eightysix/scan/environment/advisories.json"


def faults(entry: dict[str, Any]) -> list[str]:
    """What is wrong with one advisory."""
    found: list[str] = []
    if canonicalize_name(entry["package"]) != entry["package"]:
        found.append("the package's name is not in its normal spelling")
    if not entry["ids"] or not all(one.startswith(("CVE-", "GHSA-", "PYSEC-")) for one in entry["ids"]):
        found.append("an id is none of CVE, GHSA or PYSEC")
    if not entry["source"].startswith("https://"):
        found.append("the source is no page")
    ranges = [SpecifierSet(one) for one in entry["affected"]]
    if not ranges:
        found.append("no range")
    within = [one for one in entry["fixed"] if any(each.contains(one, prereleases=True) for each in ranges)]
    return found + [f"{version} is said to be fixed, and lies in its range" for version in within]


def main() -> int:
    """Make the file; 1 where its sources are wrong."""
    table = tomllib.loads((HERE / "snapshot.toml").read_text())
    entries = sorted(table["advisory"], key=lambda entry: (entry["package"], entry["ids"]))
    wrong = [f"{entry['package']} {entry['ids'][0]}: {fault}" for entry in entries for fault in faults(entry)]
    names = [(entry["package"], one) for entry in entries for one in entry["ids"]]
    wrong += [
        f"{package} {one} is there twice" for package, one in set(names) if names.count((package, one)) > 1
    ]
    if wrong:
        print("\n".join(sorted(wrong)), file=sys.stderr)
        return 1
    made = {"made": table["made"].isoformat(), "advisories": entries, "loaders": table["loaders"]}
    TARGET.write_text(json.dumps(made, indent=1, sort_keys=True) + "\n")
    print(f"{len(entries)} advisories about {len({entry['package'] for entry in entries})} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
