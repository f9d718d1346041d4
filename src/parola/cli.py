"""The command line: `parola serve` and its friends."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from parola import logs
from parola.settings import Settings, SettingsError

app = typer.Typer(help="Parola: open live audio rooms.", no_args_is_help=True, pretty_exceptions_enable=False)

Url = Annotated[str, typer.Argument(help="The address of a room's page, such as http://localhost:8080/r/ID")]
Token = Annotated[str | None, typer.Option(envvar="PAROLA_TOKEN", help="The token of the account that acts")]


@app.command()
def serve() -> None:
    """Starts Parola on this machine; PAROLA_* variables configure it (docs/protocol.md lists them)."""
    from parola import supervisor

    settings = _settings()
    logs.configure("parola")
    try:
        asyncio.run(supervisor.serve(settings))
    except supervisor.StartError as error:
        _fail(str(error))


@app.command("web-process", hidden=True)
def web_process(fd: int) -> None:
    """One web process, as the supervisor starts it."""
    from parola import bootstrap

    _child("web")
    bootstrap.run_web(_settings(), fd)


@app.command("media-process", hidden=True)
def media_process(index: int) -> None:
    """One media process, as the supervisor starts it."""
    from parola import bootstrap

    _child(f"media-{index}")
    bootstrap.run_media(_settings(), index)


@app.command()
def invite() -> None:
    """Makes a code with which one person may sign up where PAROLA_REGISTRATION=invite."""
    from parola import bootstrap

    typer.echo(bootstrap.create_invite(_settings()))


@app.command()
def speak(
    room_url: Url,
    file: Annotated[Path, typer.Option(help="A sound file", exists=True, dir_okay=False)],
    token: Token = None,
    handle: Annotated[str | None, typer.Option(help="Sign in as this account")] = None,
    password: Annotated[str | None, typer.Option(envvar="PAROLA_PASSWORD", help="with this password")] = None,
    repeat: Annotated[bool, typer.Option(help="Again and again")] = False,
) -> None:
    """Speaks a sound file into a room, for an account that has the floor."""
    _client("speak", room_url, file, token, handle, password, repeat, typer.echo)


@app.command()
def listen(
    room_url: Url,
    save: Annotated[Path | None, typer.Option(help="A WAV file to write")] = None,
    seconds: Annotated[float | None, typer.Option(help="Until interrupted where it is not given")] = None,
    token: Token = None,
) -> None:
    """Listens to a room, and saves what it heard."""
    _client("listen", room_url, save, seconds, token, typer.echo)


@app.command()
def demo(
    url: Annotated[str | None, typer.Option(help="A running server; else one is started")] = None,
    speech: Annotated[Path | None, typer.Option(help="A folder of sound files", file_okay=False)] = None,
) -> None:
    """A live room with three people who talk, to look at and listen to."""
    _client("demo", url, speech, typer.echo)


def main() -> None:
    app()


def _client(name: str, *arguments: Any) -> None:
    try:
        import importlib

        module = importlib.import_module(f"parola.client.{name}")
        from parola.client.api import ProtocolError
        from parola.client.webrtc import ConnectionFailed
    except ImportError as error:
        _fail(f"This command needs the extra `client`: pip install 'parola[client]' ({error})")
    run: Callable[..., None] = module.run
    try:
        run(*arguments)
    except (ValueError, ProtocolError, ConnectionFailed, OSError) as error:
        _fail(str(error))


def _settings() -> Settings:
    try:
        return Settings.load()
    except SettingsError as error:
        _fail(str(error))


def _child(name: str) -> None:
    """Ends with the supervisor: the other end of this pipe closes when it is gone, whatever ended it."""
    logs.configure(name)
    fd = os.environ.get("PAROLA_LIFELINE_FD")
    if fd is None:
        return

    def watch() -> None:
        os.read(int(fd), 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="lifeline").start()


def _fail(message: str) -> NoReturn:
    typer.echo(f"parola: {message}", err=True)
    sys.exit(2)
