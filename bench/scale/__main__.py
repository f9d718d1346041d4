"""`python -m bench.scale`: how many machines an audience needs; `--write` puts it into the documentation."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path

from bench.scale.bus import bus
from bench.scale.tables import written

_DOCS = (Path("docs/scale.md"), Path("docs/operating.md"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench-scale", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("tables", "measure"), default="tables")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    if given.what == "measure":
        print(json.dumps(asyncio.run(bus()), indent=2))
        return
    for path in _DOCS:
        text = written(path.read_text())
        if given.write:
            path.write_text(text)
        else:
            print(text[text.index("<!-- scale") :])


main()
