"""Chromium as listener and speaker: a page with a sound file as microphone, and what it hears recorded."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.async_api import Browser, Page, Response, async_playwright

from tools.chromium import chromium

_RECORD = """() => {
  const receiver = window.__parola.listen.getReceivers()[0];
  const context = new AudioContext({sampleRate: 48000});
  const source = context.createMediaStreamSource(new MediaStream([receiver.track]));
  const tap = context.createScriptProcessor(2048, 1, 1);
  const parts = [];
  tap.onaudioprocess = event => parts.push(event.inputBuffer.getChannelData(0).slice());
  source.connect(tap); tap.connect(context.destination);
  window.__heard = {parts, context, rate: context.sampleRate};
  return context.resume();
}"""
_TAKE = """() => {
  const {parts} = window.__heard;
  const all = new Int16Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) for (const x of part) all[at++] = Math.max(-1, Math.min(1, x)) * 32767;
  parts.length = 0;
  const bytes = new Uint8Array(all.buffer);
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return btoa(text);
}"""
_STATISTICS = """async which => {
  const connection = window.__parola[which];
  if (!connection) return {};
  const found = {};
  for (const entry of (await connection.getStats()).values())
    if (entry.type === "inbound-rtp" || entry.type === "outbound-rtp" || entry.type === "remote-inbound-rtp")
      Object.assign(found, entry);
  return found;
}"""


@contextlib.asynccontextmanager
async def browser(microphone: Path | None = None, asks: bool = False) -> AsyncIterator[Browser]:
    """A browser whose fake microphone plays `microphone`, over and over. `asks`: only where it is allowed."""
    found = chromium()
    arguments = found.microphone(microphone) if microphone is not None else list(found.args)
    if asks:
        arguments.remove("--use-fake-ui-for-media-stream")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=str(found.executable), args=arguments, env={**os.environ, **found.env}
        )
        try:
            yield launched
        finally:
            await launched.close()


class Visitor:
    """One person's page, driven by the labels that the page keeps for tests."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.origin = origin
        self.problems: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(str(error)))

    @classmethod
    async def arrive(cls, browser: Browser, origin: str) -> Visitor:
        context = await browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 800})
        await context.grant_permissions(["microphone"], origin=origin)
        return cls(await context.new_page(), origin)

    async def use_token(self, token: str) -> None:
        """Signs this browser in as an account that was made by a call."""
        await self.page.context.add_cookies([{"name": "parola_session", "value": token, "url": self.origin}])

    async def open(self, path: str) -> None:
        await self.page.goto(self.origin + path)

    async def tap(self, label: str) -> None:
        await self.page.get_by_test_id(label).first.click()

    async def sees(self, label: str, seconds: float = 10.0) -> None:
        await self.page.get_by_test_id(label).first.wait_for(state="visible", timeout=seconds * 1000)

    async def sees_no(self, label: str, seconds: float = 10.0) -> None:
        await self.page.get_by_test_id(label).first.wait_for(state="hidden", timeout=seconds * 1000)

    async def listening(self, seconds: float = 15.0) -> None:
        await self.page.wait_for_function(
            "() => window.__parola?.listen?.connectionState === 'connected'", timeout=seconds * 1000
        )

    async def speaking(self, seconds: float = 15.0) -> None:
        await self.page.wait_for_function(
            "() => window.__parola?.speak?.connectionState === 'connected'", timeout=seconds * 1000
        )

    async def record(self) -> None:
        await self.page.evaluate(_RECORD)

    async def take(self) -> NDArray[np.int16]:
        """What was heard since `record` or the last `take`: 48 kHz mono."""
        return np.frombuffer(base64.b64decode(await self.page.evaluate(_TAKE)), np.int16)

    async def statistics(self, which: str = "listen") -> dict[str, Any]:
        return dict(await self.page.evaluate(_STATISTICS, which))


def keeps(**change: object) -> Callable[[Response], bool]:
    """Whether an answer says that this change of one's own account was taken; a page tells its language unasked."""

    def does(answer: Response) -> bool:
        asked = answer.request
        if not (answer.ok and asked.method == "PATCH" and answer.url.endswith("/api/me")):
            return False
        return change.items() <= asked.post_data_json.items()

    return does
