"""`make bench-web`: what a phone loads when somebody follows a link to a room, and how soon it can be tapped.

Each try is a browser that has never been here: nothing is cached, no worker installed. The processor is slowed down
four times by Chromium itself, as a cheap phone is; the slow network is the one that Lighthouse calls slow 4G. The first
arrival is not counted: a server that has just started answers its first caller more slowly, and nobody else.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser

from bench.figures import Figure, quantile, spread, table
from bench.machine import describe
from tests.e2e.browsing import Visitor, browser
from tests.e2e.house import House, opened, people

TRIES = 15
SLOWED = 4
_SLOW_4G: dict[str, Any] = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1_638_400 / 8,
    "uploadThroughput": 750_000 / 8,
}
_LOCK = Path(__file__).resolve().parent.parent / "web" / "package-lock.json"

# The button is there, painted, and the main thread answers: from here on a tap does what it says.
_WATCH = """() => {
  window.__ready = new Promise(resolve => {
    const look = () => {
      if (!document.querySelector("[data-testid=listen]")) return requestAnimationFrame(look);
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
    };
    requestAnimationFrame(look);
  });
}"""


@dataclass(frozen=True, slots=True)
class Load:
    """One arrival. `sizes`: bytes on the wire by kind of resource; `ready_ms`: since the address was opened."""

    sizes: Counter[str]
    ready_ms: float


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="parola-bench-") as folder, opened(House(Path(folder))) as house:
        sys.exit(asyncio.run(_measure(house)))


async def _measure(house: House) -> int:
    async with people(house, "ada") as (ada,), browser() as chrome:
        room = await ada.call("POST", "/api/rooms", {"title": "A link that was shared"})
        path = f"/r/{room['id']}"
        print(describe().rstrip())
        print(
            f"Chromium {chrome.version}, {_built_with()}; processor slowed down {SLOWED} times\n", flush=True
        )
        await _arrive(chrome, house, path)
        near = [await _arrive(chrome, house, path) for _ in range(TRIES)]
        far = [await _arrive(chrome, house, path, _SLOW_4G) for _ in range(TRIES)]
    sizes = near[0].sizes
    kinds = ", ".join(f"{kind.lower()} {size / 1000:.1f}" for kind, size in sizes.most_common())
    figures = [
        _bytes("compressed JavaScript of the first load", [load.sizes["Script"] for load in near], 120),
        _bytes(f"all of the first load ({kinds} kB)", [load.sizes.total() for load in near], 150),
        _ready("from the link to a button that listens, p95", near, 1000),
        _ready("the same on slow 4G, p95", far, 2000),
    ]
    print(table(figures))
    return 0 if all(figure.holds for figure in figures) else 1


async def _arrive(chrome: Browser, house: House, path: str, network: dict[str, Any] | None = None) -> Load:
    visitor = await Visitor.arrive(chrome, house.origin)
    devtools = await visitor.page.context.new_cdp_session(visitor.page)
    kinds: dict[str, str] = {}
    sizes: Counter[str] = Counter()

    def answered(event: dict[str, Any]) -> None:
        kinds[event["requestId"]] = event["type"]

    def finished(event: dict[str, Any]) -> None:
        sizes[kinds.get(event["requestId"], "Other")] += int(event["encodedDataLength"])

    devtools.on("Network.responseReceived", answered)
    devtools.on("Network.loadingFinished", finished)
    await devtools.send("Network.enable")
    if network is not None:
        await devtools.send("Network.emulateNetworkConditions", network)
    await devtools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWED})
    await visitor.page.add_init_script(f"({_WATCH})()")
    await visitor.open(path)
    ready_ms = float(await visitor.page.evaluate("() => window.__ready"))
    await visitor.page.context.close()
    return Load(sizes, ready_ms)


def _bytes(name: str, values: list[int], most_kb: float) -> Figure:
    kilobytes = [value / 1000 for value in values]
    return Figure(name, max(kilobytes), "kB", most_kb, spread(kilobytes, "kB"))


def _ready(name: str, loads: list[Load], most_ms: float) -> Figure:
    times = [load.ready_ms for load in loads]
    return Figure(name, quantile(times, 0.95), "ms", most_ms, spread(times, "ms"))


def _built_with() -> str:
    packages = json.loads(_LOCK.read_text())["packages"]
    return ", ".join(f"{name} {packages[f'node_modules/{name}']['version']}" for name in ("svelte", "vite"))


if __name__ == "__main__":
    main()
