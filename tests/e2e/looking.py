"""Looks at a page as people see it: phone and desk, light and dark. Nothing may lie beyond the screen's edge, and axe
may find nothing. The pictures are left in `build/look`, for eyes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser, BrowserContext, Page

from parola.client.api import Api
from tests.e2e.browsing import Visitor
from tests.e2e.house import House

PICTURES = Path(__file__).parents[2] / "build" / "look"
_RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
_RULES_OF_COLOUR = {"runOnly": ["color-contrast", "link-in-text-block"], "resultTypes": ["violations"]}
"""A dark page is the light one in other colours."""

# What is wider than the window, and what is cut off inside a box that does not say that it cuts.
_BEYOND = """() => {
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  const found = [];
  if (wide > 0) found.push(`the page is ${wide} px too wide`);
  for (const one of document.querySelectorAll("body *")) {
    if (one.closest(".unseen, .skip, svg, audio")) continue;
    const box = one.getBoundingClientRect();
    if (box.width === 0 || box.height === 0) continue;
    if (box.right > innerWidth + 1 || box.left < -1)
      found.push(`${one.tagName.toLowerCase()}.${one.className}: ${Math.round(box.left)} to ${Math.round(box.right)}`);
  }
  return found.slice(0, 5);
}"""
# WCAG 2.2, 2.5.8: at least 24 by 24, or a link inside a sentence.
_SMALL = """() => [...document.querySelectorAll("button, a[href], input, select, summary")].filter(one => {
  if (one.closest(".unseen, .skip") || getComputedStyle(one).display === "inline") return false;
  const {width, height} = one.getBoundingClientRect();
  return width > 0 && height > 0 && (width < 24 || height < 24) && !one.closest("label");
}).map(one => one.outerHTML.slice(0, 120))"""
# A dialog that slides in is half transparent for a moment, and contrast is measured in the middle of it. What is no
# longer shown when the window changes may never be done: nothing here takes a second.
_STILL = """() => Promise.race([
  new Promise(done => setTimeout(done, 1000)),
  Promise.allSettled(document.getAnimations()
    .filter(one => one.effect?.getTiming().iterations !== Infinity).map(one => one.finished)),
])"""


@dataclass(frozen=True, slots=True)
class Screen:
    name: str
    width: int
    height: int
    scheme: Literal["light", "dark"]


SCREENS = (
    Screen("phone-light", 390, 844, "light"),
    Screen("phone-dark", 390, 844, "dark"),
    Screen("desk-light", 1280, 800, "light"),
    Screen("desk-dark", 1280, 800, "dark"),
)
NARROW = Screen("narrow", 320, 640, "light")
"""The narrowest that WCAG asks for: a desk's page at 400 %."""


async def look(page: Page, name: str) -> None:
    """Looks at `page` on every screen as it stands now, without loading it anew. AssertionError names what is wrong."""
    faults: list[str] = []
    for screen in (*SCREENS, NARROW):
        await page.set_viewport_size({"width": screen.width, "height": screen.height})
        await page.emulate_media(color_scheme=screen.scheme)
        await page.evaluate(_STILL)
        await page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 30)))")
        await picture(page, f"{name}-{screen.name}")
        for fault in [*await beyond(page), *await page.evaluate(_SMALL)]:
            faults.append(f"{screen.name}: {fault}")
        if screen is not NARROW:
            rules = _RULES if screen.scheme == "light" else _RULES_OF_COLOUR
            faults += [f"{screen.name}: {fault}" for fault in await _violations(page, rules)]
    await page.set_viewport_size({"width": 1280, "height": 800})
    await page.emulate_media(color_scheme="light")
    assert not faults, "\n".join([name, *faults])


async def beyond(page: Page) -> list[str]:
    """What lies beyond the window's left and right edge, in words."""
    return list(await page.evaluate(_BEYOND))


async def picture(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=PICTURES / f"{name}.png")


async def _violations(page: Page, rules: dict[str, Any]) -> list[str]:
    if not await page.evaluate("() => 'axe' in window"):
        await page.evaluate(AXE_SCRIPT)
    results: dict[str, Any] = await page.evaluate("rules => axe.run(rules)", rules)
    return [
        f"{one['id']}: {one['help']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
        for one in results["violations"]
        for node in one["nodes"][:3]
    ]


@contextlib.asynccontextmanager
async def context(browser: Browser, **given: Any) -> AsyncIterator[BrowserContext]:
    """A browser's profile of its own; `given` as Playwright takes it."""
    opened = await browser.new_context(
        **{"locale": "en-GB", "viewport": {"width": 1280, "height": 800}, **given}
    )
    try:
        yield opened
    finally:
        await opened.close()


@contextlib.asynccontextmanager
async def visiting(
    house: House, browser: Browser, who: Api | None = None, **given: Any
) -> AsyncIterator[Visitor]:
    """Somebody's page, signed in where `who` is given, in a profile of its own that may use the microphone."""
    async with context(browser, **given) as here:
        await here.grant_permissions(["microphone"], origin=house.origin)
        visitor = Visitor(await here.new_page(), house.origin)
        if who is not None:
            await visitor.use_token(str(who.token))
        yield visitor
