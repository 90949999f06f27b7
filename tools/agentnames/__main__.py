"""Write `src/eightysix/scan/agent/known.json` from pinned wheels: `python -m tools.agentnames FOLDER`.

FOLDER holds the wheels that `pins.toml` names (`pip download --no-deps`); each is checked against its hash, opened as a
zip file and read as syntax trees. Nothing of them is imported or run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tomllib
from pathlib import Path

from tools.agentnames.collect import collect

HERE = Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "src/eightysix/scan/agent/known.json"


def main() -> int:
    """Make the file; 1 where its sources are wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pinned wheels lie")
    parser.add_argument("--output", type=Path, default=TARGET)
    given = parser.parse_args()
    pins = tomllib.loads((HERE / "pins.toml").read_text())["wheel"]
    wheels: list[Path] = []
    for pin in pins:
        path = given.folder / pin["file"]
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != pin["sha256"]:
            print(f"{path.name}: the hash is {found}, pinned is {pin['sha256']}", file=sys.stderr)
            return 1
        wheels.append(path)
    table = {"wheels": {pin["file"]: pin["sha256"] for pin in pins}, **collect(wheels)}
    given.output.write_text(json.dumps(table, indent=0, sort_keys=True, ensure_ascii=True) + "\n")
    print({key: len(value) for key, value in table.items()})
    return 0


if __name__ == "__main__":
    sys.exit(main())
