"""The page's icons as pixels, out of its marks: systems that install a page want PNG. Run it when a mark changes, and
commit what it draws."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import sync_playwright

from tools.chromium import chromium

_PUBLIC = Path(__file__).resolve().parent.parent / "web" / "public"
_PLAIN, _MASKABLE = _PUBLIC / "favicon.svg", _PUBLIC / "icons" / "maskable.svg"
# The phones of one maker round the corners themselves and want the square, without transparency.
_DRAWN = {
    "plain-192": (_PLAIN, 192),
    "plain-512": (_PLAIN, 512),
    "maskable-192": (_MASKABLE, 192),
    "maskable-512": (_MASKABLE, 512),
    "apple-180": (_MASKABLE, 180),
}


def main() -> None:
    found = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(found.executable), args=list(found.args))
        for name, (mark, size) in _DRAWN.items():
            page = browser.new_page(viewport={"width": size, "height": size})
            page.set_content(
                f"<style>body{{margin:0}}svg{{display:block;width:100vw}}</style>{mark.read_text()}"
            )
            page.screenshot(path=_PUBLIC / "icons" / f"{name}.png", omit_background=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
