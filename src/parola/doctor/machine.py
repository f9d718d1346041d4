"""The machine: libraries, codec, clock, disk, descriptors, buffers, cores."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from parola.doctor.finding import Finding, ok, problem, warning

OLDEST_PYTHON = (3, 11)
LITTLE_DISK = 1 << 30
NO_DISK = 100 << 20
UDP_BUFFER = 4 << 20
"""What a media process asks for (media/transport.py)."""
OLDEST_TIME = 1_767_225_600
"""The first of January 2026: no clock that is right says less."""
_HEARD = 0.05
_DRIFT_S = 0.01


def python(version: tuple[int, int, int]) -> Finding:
    words = ".".join(map(str, version))
    if version[:2] < OLDEST_PYTHON:
        return problem("python", words, "Parola needs Python 3.11 or newer.")
    return ok("python", words)


def libraries(found: Mapping[str, str | Exception]) -> list[Finding]:
    """Versions, or why there is none."""
    findings = []
    for name, version in found.items():
        if isinstance(version, Exception):
            findings.append(
                problem(
                    name,
                    f"cannot be used: {version}",
                    "Install Parola anew: pip install --force-reinstall parola",
                )
            )
        else:
            findings.append(ok(name, version))
    return findings


def codec(loudness: float | Exception) -> Finding:
    """Of a tone at half of full scale, after its way through encoder and decoder (root of the mean square)."""
    if isinstance(loudness, Exception):
        return problem("codec", f"Opus fails: {loudness}", "Install PyAV anew: its wheel carries libopus.")
    if loudness < _HEARD:
        return problem(
            "codec",
            f"a tone comes out as silence ({loudness:.3f})",
            "Install PyAV anew: its libopus is broken.",
        )
    return ok("codec", f"a tone goes through Opus and comes out ({loudness:.2f} of 0.35)")


def data_folder(folder: Path, trouble: str, free: int) -> list[Finding]:
    """`trouble` is why it, or the folder in which it will be made, cannot be written; `free` bytes are on its disk."""
    if trouble:
        return [
            problem(
                "data folder",
                f"{folder} cannot be written: {trouble}",
                f"chown it to the user that runs Parola ({_user()}), or name another with PAROLA_DATA_DIR.",
            )
        ]
    words = f"{folder} can be written, {_size(free)} are free"
    if free < NO_DISK:
        return [problem("data folder", words, "Make room: with a full disk every command is refused.")]
    if free < LITTLE_DISK:
        return [warning("data folder", words, "Make room before it is full.")]
    return [ok("data folder", words)]


def clock(unix: float, drift_s: float, ahead_s: float | None) -> list[Finding]:
    """`drift_s` is by how much wall clock and monotonic clock disagreed about a moment just now, `ahead_s` by how much
    the database is ahead of us, where that has a clock of its own."""
    synchronise = "Let chrony or systemd-timesyncd keep the time: timedatectl set-ntp true"
    findings = []
    if unix < OLDEST_TIME:
        findings.append(
            problem("clock", "it says a time that is long gone: certificates will fail", synchronise)
        )
    elif abs(drift_s) > _DRIFT_S:
        findings.append(
            warning(
                "clock", f"the wall clock is being moved ({drift_s * 1000:+.0f} ms just now)", synchronise
            )
        )
    else:
        findings.append(ok("clock", "wall clock and monotonic clock agree"))
    if ahead_s is not None and abs(ahead_s) > 2:
        findings.append(
            warning(
                "clock",
                f"the database's clock is {abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} this one",
                f"Nothing breaks, but times in rooms will be off. On both: {synchronise}",
            )
        )
    return findings


def descriptors(hard: int, wanted: int) -> Finding:
    """`hard` is the most that this user's processes may ask for; Parola raises its own limit that far."""
    words = f"up to {hard} for each process"
    remedy = (
        f"LimitNOFILE={wanted} in systemd, `ulimit -Hn {wanted}`, or --ulimit nofile={wanted} of a container."
    )
    if hard < 256:
        return problem("descriptors", words, remedy)
    if hard < wanted:
        return warning("descriptors", f"{words}: 2,000 connections need {wanted}", remedy)
    return ok("descriptors", words)


def udp_buffers(most: Mapping[str, int | None], is_root: bool) -> Finding:
    """The kernel's limits by name, None where it does not say. Root's processes go beyond them."""
    small = {name: size for name, size in most.items() if size is not None and size < UDP_BUFFER}
    if small and not is_root:
        named = ", ".join(f"{name} is {_size(size)}" for name, size in small.items())
        set_them = " ".join(f"{name}={UDP_BUFFER}" for name in small)
        return warning(
            "udp buffers",
            f"{named}: bursts will be lost",
            f"sysctl -w {set_them}, and the same in /etc/sysctl.d/",
        )
    if not any(most.values()):
        return ok("udp buffers", "this system does not tell its limits")
    return ok("udp buffers", f"a media process gets its {_size(UDP_BUFFER)}")


def cores(cores: int, media: int, web: int) -> Finding:
    words = f"{cores} for {media} media and {web} web processes"
    if media > cores:
        return warning(
            "cores",
            f"{words}: media processes will keep each other waiting",
            f"PAROLA_MEDIA_PROCESSES={max(1, cores - 1)}",
        )
    return ok("cores", words)


def page(built: bool, is_web: bool) -> list[Finding]:
    if not is_web:
        return []
    if not built:
        return [
            warning(
                "page",
                "it is not built: this server will have an API and no page",
                "make run builds it, and so does `npm run build` in web/; wheels carry it.",
            )
        ]
    return [ok("page", "it is built")]


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _size(size: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def this_python() -> tuple[int, int, int]:
    return sys.version_info[:3]
