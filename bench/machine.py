"""What the figures were measured on; nothing of them means anything elsewhere."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

from parola.media.codec import version as opus_version

_NAMES = ("parola", "uvicorn", "nats-py", "av", "pylibsrtp", "pyOpenSSL", "numpy", "sqlalchemy")


def describe() -> str:
    """Machine, load and versions, in two lines and an empty one."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _NAMES)
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if "model name" in line), "?")
    system = f"{platform.system()} {platform.release()}"
    return (
        f"Machine: {os.cpu_count()} × {model}, {system}, load {os.getloadavg()[0]:.2f}\n"
        f"Python {platform.python_version()}, {opus_version()}, {versions}\n"
    )
