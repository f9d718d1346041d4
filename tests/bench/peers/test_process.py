"""Programs that are there, that are not, and that do not last."""

import asyncio
import os
import socket
import sys

import pytest

from bench.listeners.peers import process
from bench.listeners.peers.process import Process
from bench.listeners.signalling import NotRun


async def test_one_that_listens_is_ended_by_its_number(tmp_path):
    port = process.free_ports(1)
    serve = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(60)"
    started = Process.start([sys.executable, "-c", serve], tmp_path)
    bystander = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(60)")
    try:
        await started.answers(("127.0.0.1", port))
        os.kill(started.pid, 0)
        await started.stop()
        with pytest.raises(ProcessLookupError):
            os.kill(started.pid, 0)
        assert bystander.returncode is None
    finally:
        bystander.kill()
        await bystander.wait()


async def test_one_that_ends_at_once_says_why(tmp_path):
    started = Process.start([sys.executable, "-c", "raise SystemExit('no such key: batch')"], tmp_path)
    with pytest.raises(NotRun, match="no such key: batch"):
        await started.answers(tmp_path / "socket")
    await started.stop()


async def test_one_that_does_not_exist(tmp_path):
    with pytest.raises(NotRun, match="nowhere does not start"):
        Process.start([str(tmp_path / "nowhere")], tmp_path)


async def test_what_cannot_be_installed_is_not_run(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NotRun, match="no parola-no-such-program"):
        await process.debian("parola-no-such-program", "parola-no-such-package")


async def test_a_command_that_fails():
    with pytest.raises(NotRun, match="the last line"):
        await process.run([sys.executable, "-c", "print('a line'); raise SystemExit('the last line')"])
    assert await process.run([sys.executable, "-c", "print('fine')"]) == "fine"


def test_ports_beside_each_other():
    first = process.free_ports(3, socket.SOCK_DGRAM)
    for port in range(first, first + 3):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", port))
