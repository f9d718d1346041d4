"""Speech to test with: real voices where a Debian archive is at hand, synthesised ones otherwise.

Debian's asterisk-core-sounds carry announcements by professional speakers in G.722, so at 7 kHz bandwidth.
They are fetched without being installed, made into clips of ten to twenty seconds and written as WAV to
`.cache/speech` (16 kHz, mono, 16 bit) and to `.cache/speech/48k` (the same for a browser's fake microphone);
`.cache/speech/demo` holds the demo's cast.
Run as a module to make them; import `clips` to use them.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).resolve().parent.parent / ".cache" / "speech"
_ORIGIN = "ORIGIN.txt"
_PAUSE_S = 0.35
_PEAK = 0.7

# Announcements of several seconds; those with effects or music are left out.
_HUMAN = {
    "english-1": ("en", ["demo-abouttotry"]),
    "english-2": ("en", ["demo-moreinfo"]),
    "english-3": ("en", ["vm-msginstruct"]),
    "italian-1": ("it", ["demo-abouttotry"]),
    "italian-2": ("it", ["vm-msginstruct"]),
    "italian-3": ("it", ["demo-moreinfo"]),
}
_PACKAGES = {"en": "asterisk-core-sounds-en-g722", "it": "asterisk-core-sounds-it-g722"}

# For the demo, in the order of its speakers: voices that are easy to tell apart.
_CAST = ("english-1", "italian-1", "english-2")

_SYNTHETIC = {
    "english-1": (
        "en-us",
        (
            "Good evening and welcome. Tonight we talk about the night trains that are coming back to "
            "Europe. We will hear from a driver, from a planner, and from somebody who has slept in "
            "eleven of them since the beginning of spring."
        ),
    ),
    "english-2": (
        "en",
        (
            "Thank you for the floor. I drive the sleeper to Vienna three times a week. People ask me "
            "what it is like to be awake while four hundred others are asleep behind you, and the "
            "honest answer is that you learn to drive gently."
        ),
    ),
    "english-3": (
        "en-us+f3",
        (
            "If I may add one thing: a timetable is a promise. We worked for two years on a "
            "connection that takes nine minutes, and it only holds because three countries agreed on "
            "which platform would be swept first each morning."
        ),
    ),
    "italian-1": (
        "it",
        (
            "Buonasera a tutti e benvenuti. Questa sera parliamo dei treni notturni che tornano ad "
            "attraversare l'Europa. Ascolteremo un macchinista, una progettista e una persona che ne "
            "ha presi undici dall'inizio della primavera."
        ),
    ),
    "italian-2": (
        "it",
        (
            "Grazie della parola. Guido il treno per Vienna tre volte alla settimana. Mi chiedono "
            "spesso come ci si sente a restare svegli mentre quattrocento persone dormono dietro di "
            "te: si impara soprattutto a frenare con dolcezza."
        ),
    ),
    "italian-3": (
        "it",
        (
            "Vorrei aggiungere una cosa sola: un orario è una promessa. Abbiamo lavorato due anni a "
            "una coincidenza di nove minuti, e funziona soltanto perché tre paesi si sono messi "
            "d'accordo su quale binario pulire per primo."
        ),
    ),
}


@dataclass(frozen=True)
class Clip:
    """A stretch of speech: `path` at 16 kHz, `microphone` at 48 kHz; `origin` is human or synthesised."""

    name: str
    language: str
    path: Path
    microphone: Path
    seconds: float
    origin: str


def clips(folder: Path = FOLDER) -> dict[str, Clip]:
    """The clips by name, made at the first call. Raises SpeechUnavailable where neither way works."""
    if not (folder / _ORIGIN).exists():
        _make(folder)
    origin = (folder / _ORIGIN).read_text().split()[0]
    return {path.stem: _clip(path, origin) for path in sorted(folder.glob("*.wav"))}


class SpeechUnavailable(Exception):
    """Neither Debian's speech packages nor the synthesiser could be had."""


def _clip(path: Path, origin: str) -> Clip:
    with wave.open(str(path)) as file:
        seconds = file.getnframes() / file.getframerate()
    language = "it" if path.stem.startswith("italian") else "en"
    return Clip(path.stem, language, path, path.parent / "48k" / path.name, seconds, origin)


def _make(folder: Path) -> None:
    """Written beside the goal and renamed, so that two processes at once cannot spoil each other."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work_name:
        work = Path(work_name)
        ready = work / "ready"
        (ready / "48k").mkdir(parents=True)
        try:
            sounds = _human(work)
            origin = "human speech, from " + " and ".join(_PACKAGES.values())
        except SpeechUnavailable as reason:
            print(f"speech: no human speech here ({reason}); synthesising", file=sys.stderr)
            sounds = _synthesised()
            origin = "synthesised speech, by eSpeak NG"
        for name, (samples, rate) in sounds.items():
            _write(ready / f"{name}.wav", _level(_resample(samples, rate, 16_000)), 16_000)
            _write(ready / "48k" / f"{name}.wav", _level(_resample(samples, rate, 48_000)), 48_000)
        (ready / "demo").mkdir()
        for number, name in enumerate(_CAST):
            shutil.copy(ready / "48k" / f"{name}.wav", ready / "demo" / f"{number}-{name}.wav")
        (ready / _ORIGIN).write_text(origin + "\n")
        if folder.exists() and not (folder / _ORIGIN).exists():
            shutil.rmtree(folder)
        try:
            ready.rename(folder)
        except OSError:
            if not (folder / _ORIGIN).exists():
                raise


# Human speech.


def _human(work: Path) -> dict[str, tuple[NDArray[np.float32], int]]:
    packages = _downloaded(work)
    for package in packages:
        _run(["dpkg-deb", "-x", str(package), str(work / "sounds")], cwd=work)
    files: dict[str, dict[str, Path]] = {"en": {}, "it": {}}
    for path in (work / "sounds").rglob("*.g722"):
        voice = path.relative_to(work / "sounds" / "usr/share/asterisk/sounds").parts[0]
        files[voice[:2]].setdefault(path.stem, path)
    sounds = {}
    for name, (language, parts) in _HUMAN.items():
        missing = [part for part in parts if part not in files[language]]
        if missing:
            raise SpeechUnavailable(f"the {language} package lacks {', '.join(missing)}")
        sounds[name] = (_joined(_trimmed(_g722(files[language][part])) for part in parts), 16_000)
    return sounds


def _downloaded(work: Path) -> list[Path]:
    """The archives' package lists may be missing or old: then they are fetched, which only root can do."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise SpeechUnavailable("no apt-get")
    download = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *_PACKAGES.values()]
    try:
        _run(download, cwd=work)
    except SpeechUnavailable:
        if os.geteuid() != 0:
            raise
        _run(["apt-get", "-qq", "update"], cwd=work)
        _run(download, cwd=work)
    return sorted(work.glob("*.deb"))


def _run(command: list[str], cwd: Path) -> None:
    try:
        subprocess.run(
            command,
            cwd=cwd,
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=120,
        )
    except subprocess.CalledProcessError as error:
        said = (error.stderr or "").strip().splitlines()
        raise SpeechUnavailable(f"{command[0]}: {said[-1] if said else error.returncode}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SpeechUnavailable(f"{command[0]}: {error}") from error


def _g722(path: Path) -> NDArray[np.float32]:
    with av.open(str(path), format="g722") as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(frames).astype(np.float32) / 32768.0


# Synthesised speech.


def _synthesised() -> dict[str, tuple[NDArray[np.float32], int]]:
    try:
        import espeakng_loader
    except ImportError as error:
        raise SpeechUnavailable("espeakng-loader is not installed") from error
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(1, 0, str(Path(espeakng_loader.get_data_path())).encode(), 0)
    if rate <= 0:
        raise SpeechUnavailable("eSpeak NG does not start")
    heard: list[NDArray[np.int16]] = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    def take(samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int) -> int:
        if samples and count:
            heard.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    library.espeak_SetSynthCallback(take)
    sounds = {}
    for name, (voice, text) in _SYNTHETIC.items():
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise SpeechUnavailable(f"eSpeak NG has no voice {voice}")
        heard.clear()
        line = text.encode()
        flags = 1  # the text is UTF-8
        library.espeak_Synth(line, ctypes.c_size_t(len(line) + 1), 0, 1, 0, flags, None, None)
        library.espeak_Synchronize()
        sounds[name] = (_trimmed(np.concatenate(heard).astype(np.float32) / 32768.0, rate), rate)
    library.espeak_Terminate()
    return sounds


# Sound, as float32 in -1..1, mono.


def _trimmed(sound: NDArray[np.float32], rate: int = 16_000) -> NDArray[np.float32]:
    """Without the silence before and after, but for 50 ms that keep soft consonants whole."""
    loud = np.flatnonzero(np.abs(sound) > 0.01)
    if not loud.size:
        return sound
    margin = rate // 20
    return sound[max(0, int(loud[0]) - margin) : int(loud[-1]) + margin]


def _joined(parts: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    pause = np.zeros(int(_PAUSE_S * 16_000), np.float32)
    pieces: list[NDArray[np.float32]] = []
    for part in parts:
        pieces += [part, pause]
    return np.concatenate(pieces)


def _level(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    return sound * (_PEAK / max(1e-6, float(np.abs(sound).max())))


def _resample(sound: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    if rate == wanted:
        return sound
    resampler = av.AudioResampler(format="flt", layout="mono", rate=wanted)
    frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="flt", layout="mono")
    frame.sample_rate = rate
    out = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([part.to_ndarray().reshape(-1) for part in out])


def _write(path: Path, sound: NDArray[np.float32], rate: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())


def main() -> None:
    """Makes the clips (with --renew: anew) and says what they are."""
    if "--renew" in sys.argv[1:]:
        shutil.rmtree(FOLDER, ignore_errors=True)
    found = clips()
    print("speech:", (FOLDER / _ORIGIN).read_text().strip())
    for clip in found.values():
        print(f"  {clip.name}  {clip.seconds:.1f} s  {clip.path}")


if __name__ == "__main__":
    try:
        main()
    except SpeechUnavailable as error:
        sys.exit(f"speech: {error}")
