"""Icecast: the same Opus as an endless Ogg stream over HTTP, for those who can wait for a page.

Its listeners have a connection by TCP and no encryption: what they cost is the least that anybody can ask for, and what
they pay is delay.
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from bench.listeners.peers import process
from bench.listeners.peers.process import Process
from bench.listeners.signalling import HttpSource, HttpStream

_MOST_LISTENERS = 100_000
_CONFIG = """<icecast>
  <limits>
    <clients>{clients}</clients>
    <sources>100</sources>
    <burst-on-connect>0</burst-on-connect>
    <burst-size>0</burst-size>
  </limits>
  <authentication>
    <source-password>{password}</source-password>
    <relay-password>{password}</relay-password>
    <admin-user>admin</admin-user>
    <admin-password>{password}</admin-password>
  </authentication>
  <hostname>127.0.0.1</hostname>
  <location>bench</location>
  <admin>bench@localhost</admin>
  <listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
  <paths>
    <basedir>{folder}</basedir>
    <logdir>{folder}</logdir>
    <webroot>{folder}</webroot>
    <adminroot>{folder}</adminroot>
  </paths>
  <logging>
    <accesslog>-</accesslog>
    <errorlog>-</errorlog>
    <loglevel>1</loglevel>
  </logging>
  <security>
    <chroot>0</chroot>
    {owner}
  </security>
</icecast>
"""
_OWNER = "<changeowner><user>nobody</user><group>nogroup</group></changeowner>"
"""It refuses to be root, and becomes somebody else once it has read its files and bound its port."""


class Icecast:
    """`page_ms`: how much sound a page holds. Nobody is given more at first than the page that is just being made:
    a burst would put listeners seconds behind."""

    def __init__(self, page_ms: int = 1000) -> None:
        self.name = f"Icecast, HTTP, pages of {page_ms} ms"
        self.note = ""
        self._page_ms = page_ms
        self._password = secrets.token_hex(12)
        self._origin = ""
        self._process: Process | None = None
        self._rooms = 0

    async def start(self, folder: Path) -> None:
        program = await process.debian("icecast2", "icecast2")
        version = re.search(r"[\d.]+", await process.run([program, "-v"]))
        self.note = (
            f"Icecast {version[0] if version else 'of unknown version'}; pages are counted, not packets"
        )
        port = process.free_ports(1)
        config = folder / "icecast.xml"
        config.write_text(
            _CONFIG.format(
                clients=_MOST_LISTENERS,
                password=self._password,
                port=port,
                folder=folder,
                owner=_OWNER if process.is_root() else "",
            )
        )
        config.chmod(0o600)
        self._origin = f"http://127.0.0.1:{port}"
        self._process = Process.start([program, "-c", str(config)], folder)
        await self._process.answers(("127.0.0.1", port))

    async def stop(self) -> None:
        if self._process is not None:
            await self._process.stop()
            self._process = None

    def pids(self) -> list[int]:
        return [self._process.pid] if self._process is not None else []

    async def room(self, speakers: int) -> IcecastRoom:
        """One stream whoever speaks: a room of several has to be mixed before it comes here."""
        self._rooms += 1
        url = f"{self._origin}/room{self._rooms}.opus"
        return IcecastRoom(url, self._password, self._page_ms)


class IcecastRoom:
    streams = 1

    def __init__(self, url: str, password: str, page_ms: int) -> None:
        self._url = url
        self._password = password
        self._page_ms = page_ms

    def listening(self) -> HttpStream:
        return HttpStream(self._url)

    def speaking(self, speaker: int) -> HttpSource:
        return HttpSource(self._url, "source", self._password, self._page_ms)

    async def close(self) -> None:
        """A mountpoint ends with its source."""
