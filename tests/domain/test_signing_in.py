"""How long what holds, codes as people write them, and devices in plain words."""

from __future__ import annotations

import pytest

from parola.domain.devices import Device, read_device
from parola.domain.signing_in import CODE_BYTES, Ways, hour_of, is_recent, read_code, recovery_code

_LINUX = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
_PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) "
_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "


def test_a_sign_in_is_recent_for_ten_minutes() -> None:
    assert [is_recent(1_000_000, 1_000_000 + after) for after in (-1, 0, 599_999, 600_000)] == [
        False,
        True,
        True,
        False,
    ]


def test_a_code_is_read_however_it_is_written() -> None:
    code = recovery_code(bytes(range(200, 200 + CODE_BYTES)))
    assert [len(group) for group in code.split("-")] == [4, 4, 4, 4]
    assert read_code(code) == code.replace("-", "")
    misread = code.upper().replace("O", "0").replace("L", "1").replace("B", "8").replace("-", " ")
    assert read_code(f" {misread}\n") == read_code(code)
    assert read_code(recovery_code(bytes(CODE_BYTES))) != read_code(code)


def test_ways_are_counted_without_recovery_codes() -> None:
    assert Ways().count == 0
    assert Ways(password=True, passkeys=2, addresses=1).count == 4


def test_nobody_keeps_more_than_the_hour() -> None:
    assert hour_of(1_700_000_123_456) % 3_600_000 == 0
    assert 0 <= 1_700_000_123_456 - hour_of(1_700_000_123_456) < 3_600_000


@pytest.mark.parametrize(
    ("agent", "browser", "system"),
    [
        (_LINUX + "Chrome/156.0.0.0 Safari/537.36", "Chrome", "Linux"),
        (_LINUX + "HeadlessChrome/156.0.0.0 Safari/537.36", "Chromium", "Linux"),
        (_WINDOWS + "Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0", "Edge", "Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox", "Linux"),
        (_PHONE + "Version/19.0 Mobile/15E148 Safari/604.1", "Safari", "iPhone"),
        (_PHONE + "CriOS/156.0 Mobile/15E148 Safari/604.1", "Chrome", "iPhone"),
        (_MAC + "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/605.1.15", "Safari", "macOS"),
        ("Mozilla/5.0 (Linux; Android 16) Chrome/156.0.0.0 Mobile Safari/537.36", "Chrome", "Android"),
        ("parola/1.0 python/3.11", "parola", ""),
        ("Mozilla/5.0", "", ""),
        ("\u202e<script>", "", ""),
        ("", "", ""),
    ],
)
def test_devices_in_plain_words(agent: str, browser: str, system: str) -> None:
    assert read_device(agent) == Device(browser, system)
