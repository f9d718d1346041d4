"""The two pipes, without the kernel's help: they have to do where it has none to give."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from parola.supervisor.lifeline import GATE, LIFELINE, PREPARE, Answer, Pipe

_CHILD = """
import signal, sys
from parola.supervisor import lifeline
lifeline.hold()
print("holding", flush=True)
lifeline.prepare(lambda: sys.exit("not the chosen one"))
lifeline.wait_for_gate()
print("begun", flush=True)
signal.pause()
"""


@pytest.fixture
def lifeline() -> Iterator[Pipe]:
    yield from _pipe()


@pytest.fixture
def gate() -> Iterator[Pipe]:
    yield from _pipe()


def _pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()
    os.close(pipe.inherited)


def test_a_child_begins_at_the_gate_and_ends_with_the_lifeline(lifeline: Pipe, gate: Pipe) -> None:
    fds = {LIFELINE: lifeline.inherited, GATE: gate.inherited}
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD],
        env={**os.environ, **{name: str(fd) for name, fd in fds.items()}},
        pass_fds=tuple(fds.values()),
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"holding\n"
        gate.close()
        assert child.stdout.readline() == b"begun\n"
        lifeline.close()
        assert child.wait(30) == 1


_PREPARING = """
from parola.supervisor import lifeline
def upgrade():
    if {fails}:
        raise OSError("two\\nlines")
lifeline.prepare(upgrade)
"""


@pytest.mark.parametrize(("fails", "words", "status"), [(False, "", 0), (True, "two lines", 1)])
async def test_the_chosen_child_says_how_it_went(fails: bool, words: str, status: int) -> None:
    answer = Answer()
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _PREPARING.format(fails=fails),
        env={**os.environ, PREPARE: str(answer.inherited)},
        pass_fds=(answer.inherited,),
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await answer.read() == words
    assert await child.wait() == status
    answer.close()


def test_a_process_without_a_supervisor_just_begins() -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PAROLA_")}
    words = _CHILD.replace("signal.pause()", "")
    done = subprocess.run([sys.executable, "-c", words], env=environment, capture_output=True, timeout=30)
    assert done.stdout == b"holding\nbegun\n"
