"""What a browser says of itself, in plain words: enough for a person to know their own devices by, and no more."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LONGEST = 40
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("FxiOS", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS", "Chrome"),
    ("HeadlessChrome", "Chromium"),
    ("Chromium", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
"""Those first that claim to be others as well."""
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)
_PRODUCT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Device:
    """Each is empty where it is not known."""

    browser: str = ""
    system: str = ""


def read_device(user_agent: str) -> Device:
    """Of a User-Agent header (RFC 9110, section 10.1.5). What is no browser has the name of its first product."""
    browser = _first(_BROWSERS, user_agent)
    if not browser:
        product = _PRODUCT.match(user_agent)
        browser = product.group()[:_LONGEST] if product is not None else ""
        browser = "" if browser == "Mozilla" else browser
    return Device(browser, _first(_SYSTEMS, user_agent))


def _first(known: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for mark, name in known if mark in text), "")
