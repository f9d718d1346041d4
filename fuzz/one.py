"""One target, in a process of its own: `python -m fuzz.one TARGET SECONDS CORPUS FOUND` is libFuzzer by way of atheris.

What it stops at stands in FOUND afterwards, and libFuzzer's own words on standard error.
"""

from __future__ import annotations

import importlib
import logging
import sys
from pathlib import Path

import atheris
import structlog

_SLOWEST_S = 10
_LONGEST = 4096
_MOST_MB = 3000


def main() -> None:
    name, seconds, corpus, found = sys.argv[1:]
    with atheris.instrument_imports(include=["parola"], enable_loader_override=False):
        target = importlib.import_module(f"fuzz.targets.{name}")
    for number, seed in enumerate(target.SEEDS):
        (Path(corpus) / f"seed-{number}").write_bytes(seed)
    # What refusals and broken bodies are logged as would be all that there is to read.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    options = [
        f"-max_total_time={seconds}",
        f"-timeout={_SLOWEST_S}",
        f"-max_len={_LONGEST}",
        f"-rss_limit_mb={_MOST_MB}",
        f"-artifact_prefix={found}/",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, corpus], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
