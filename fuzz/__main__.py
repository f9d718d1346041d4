"""`python -m fuzz [--seconds 60] [TARGET…]`: the time is divided among the targets, each in a process of its own.

What one stops at is kept in `tests/fuzz/fixtures/TARGET`, where the suite finds it from then on. What was learnt of
each target's branches stays in `.cache/fuzz`, and the next run goes on from there.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from fuzz.targets import NAMES

_ROOT = Path(__file__).parents[1]
FIXTURES = _ROOT / "tests" / "fuzz" / "fixtures"
_CORPUS = _ROOT / ".cache" / "fuzz"
_GRACE_S = 60
_EXECUTIONS = re.compile(rb"stat::number_of_executed_units:\s+(\d+)|^#(\d+)\s", re.MULTILINE)
_MOST_WORDS = 3000


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one target: `kept` are the new fixtures, `failure` what a process said that ended without one."""

    name: str
    executions: int
    seconds: float
    kept: tuple[Path, ...]
    failure: str

    @property
    def is_clean(self) -> bool:
        return not self.kept and not self.failure

    def line(self) -> str:
        found = f"{len(self.kept)} found" if not self.failure else "did not come to its end"
        rate = self.executions / max(self.seconds, 0.001)
        return f"{self.name:5} {self.executions:>9,} executions {rate:>8,.0f}/s   {found}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"which: {', '.join(NAMES)}; all where none is named")
    parser.add_argument("--seconds", type=int, default=60, help="for all of them together")
    options = parser.parse_args()
    chosen = options.targets or list(NAMES)
    if unknown := [name for name in chosen if name not in NAMES]:
        parser.error(f"no such target: {', '.join(unknown)}")
    if importlib.util.find_spec("atheris") is None:
        print("There is no atheris here: it exists for Linux on x86-64 only.", file=sys.stderr)
        return 2
    outcomes = []
    for name in chosen:
        outcomes.append(fuzz(name, max(1, options.seconds // len(chosen))))
        print(outcomes[-1].line(), flush=True)
        for path in outcomes[-1].kept:
            print(f"      {path.relative_to(_ROOT)}", flush=True)
    return int(not all(outcome.is_clean for outcome in outcomes))


def fuzz(name: str, seconds: int) -> Outcome:
    corpus = _CORPUS / name
    corpus.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="parola-fuzz-") as found:
        command = [sys.executable, "-m", "fuzz.one", name, str(seconds), str(corpus), found]
        ended = subprocess.run(
            command, cwd=_ROOT, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds + _GRACE_S
        )
        took = time.monotonic() - began
        said = ended.stdout + ended.stderr
        kept = tuple(_keep(name, path.read_bytes()) for path in sorted(Path(found).iterdir()))
    if ended.returncode:
        print(said.decode(errors="replace")[-_MOST_WORDS:], file=sys.stderr)
    counts = [int(a or b) for a, b in _EXECUTIONS.findall(said)]
    failure = f"exit code {ended.returncode}" if ended.returncode and not kept else ""
    return Outcome(name, max(counts, default=0), took, kept, failure)


def _keep(name: str, data: bytes) -> Path:
    path = FIXTURES / name / hashlib.sha256(data).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


if __name__ == "__main__":
    raise SystemExit(main())
