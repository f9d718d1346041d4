"""The command line: `parola serve` and its friends."""

from __future__ import annotations

import gc
import importlib
import json
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from parola import admin_evidence, admin_moderation, admin_rollout, logs
from parola.settings import Settings, SettingsError

app = typer.Typer(help="Parola: open live audio rooms.", no_args_is_help=True, pretty_exceptions_enable=False)

admin_moderation.app.add_typer(admin_rollout.app, name="rollout")
app.add_typer(admin_evidence.app, name="admin")  # to which all of these have added theirs

Port = Annotated[int | None, typer.Option(help="Instead of PAROLA_HTTP_PORT")]
UdpPort = Annotated[int | None, typer.Option(help="Instead of PAROLA_UDP_PORT")]
Bind = Annotated[str | None, typer.Option(help="Instead of PAROLA_BIND")]
DataDir = Annotated[Path | None, typer.Option(help="Instead of PAROLA_DATA_DIR")]
Url = Annotated[str, typer.Argument(help="The address of a room's page, such as http://localhost:8080/r/ID")]
Token = Annotated[str | None, typer.Option(envvar="PAROLA_TOKEN", help="The token of the account that acts")]


@app.command()
def serve(port: Port = None, udp_port: UdpPort = None, bind: Bind = None, data_dir: DataDir = None) -> None:
    """Starts Parola on this machine; PAROLA_* variables configure it (docs/protocol.md lists them)."""
    from parola import supervisor

    settings = _settings(port, udp_port, bind, data_dir)
    logs.configure("parola")
    try:
        supervisor.serve(settings)
    except supervisor.StartError as error:
        _fail(str(error))


@app.command()
def doctor(
    port: Port = None,
    udp_port: UdpPort = None,
    bind: Bind = None,
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines")] = False,
) -> None:
    """Tells what is wrong with this machine, for what `parola serve` would do with the same settings."""
    settings = _settings(port, udp_port, bind, data_dir)
    logs.configure("doctor", least=logging.ERROR)  # the findings say the rest
    from parola.doctor import Level, report, visit

    findings = visit(settings)
    ill = any(finding.level is Level.PROBLEM for finding in findings)
    if as_json:
        typer.echo(json.dumps({"ok": not ill, "findings": [f.as_json() for f in findings]}, indent=2))
    else:
        typer.echo(report(findings))
    sys.exit(1 if ill else 0)


@app.command("web-process", hidden=True)
def web_process(fd: Annotated[int, typer.Option()]) -> None:
    """One web process on a listening socket, as the supervisor starts it."""
    _child("web", fd)


@app.command("media-process", hidden=True)
def media_process(index: Annotated[int, typer.Option()]) -> None:
    """One media process, as the supervisor starts it."""
    _child("media", index)


@app.command()
def invite() -> None:
    """Makes a code with which one person may sign up where PAROLA_REGISTRATION=invite."""
    settings = _settings()
    logs.configure("invite")
    from parola.bootstrap import commands

    typer.echo(commands.create_invite(settings))


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
    """Runs `parola.client.NAME`, whose libraries the server itself does without."""
    try:
        module = importlib.import_module(f"parola.client.{name}")
        from parola.client.api import ProtocolError
        from parola.client.webrtc import ConnectionFailed
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("parola"):
            raise
        _fail(f"`parola {name}` needs the extra `client` ({error.name}): pip install 'parola[client]'")
    try:
        module.run(*arguments)
    except (ValueError, ProtocolError, ConnectionFailed, OSError) as error:
        _fail(str(error) or type(error).__name__)


def _child(kind: str, which: int) -> None:
    """Imports what it needs, which takes a while, and begins when the database is prepared."""
    from parola.supervisor import lifeline

    logs.configure(os.environ.get("PAROLA_CHILD", "child"))
    lifeline.hold()
    gc.disable()  # what is imported stays: whoever goes through it again and again finds nothing
    from parola.bootstrap import shared

    process = importlib.import_module(f"parola.bootstrap.{kind}")
    gc.enable()
    settings = _settings()
    lifeline.prepare(lambda: shared.upgrade(settings))
    lifeline.wait_for_gate()
    shared.run(process.serve(settings, which))


def _settings(
    port: int | None = None,
    udp_port: int | None = None,
    bind: str | None = None,
    data_dir: Path | None = None,
) -> Settings:
    # Into the environment, so that child processes read the same.
    changes = {"HTTP_PORT": port, "UDP_PORT": udp_port, "BIND": bind, "DATA_DIR": data_dir}
    os.environ.update({f"PAROLA_{name}": str(value) for name, value in changes.items() if value is not None})
    try:
        return Settings.load()
    except SettingsError as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    for line in message.splitlines():
        typer.echo(f"parola: {line}", err=True)
    sys.exit(2)
