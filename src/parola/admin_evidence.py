"""`parola admin evidence` and `evidence-key …`: what reports have sealed, and the keys that open it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parola.admin import app, fail, load_settings, me, row, run

if TYPE_CHECKING:
    from parola.api.app import Services
    from parola.services.evidence_keys import EvidenceKeys

__all__ = ["app"]

keys = typer.Typer(help="The keys that open what reports have sealed.", no_args_is_help=True)
app.add_typer(keys, name="evidence-key")


@app.command()
def evidence(
    report: Annotated[str, typer.Argument(help="The report's id")],
    out: Annotated[
        Path | None,
        typer.Option(help="Also writes the sound, to an Ogg file that is not there yet", dir_okay=False),
    ] = None,
    reason: Annotated[str, typer.Option(help="Stands in the audit log; hearing the sound wants one")] = "",
) -> None:
    """Says what a report has sealed, until when, when each part of it was, and who spoke when, in seconds; a file is
    for its owner alone."""

    async def work(here: Services) -> None:
        from parola.services.views import instant_of_ms

        about = await here.evidence.about(me(), report)
        if out is not None:
            await _write(here, report, out, reason)
        row("room", about.sealed.room_id)
        row("sealed", instant_of_ms(about.sealed.sealed_at))
        row("expires", instant_of_ms(about.sealed.expires_at))
        if about.length_ms is None:
            row("sound", "the key that opens it is not here, or it was changed")
            return
        row("length", f"{about.length_ms / 1000:.1f}")
        for part in about.parts:
            row("from", f"{part.from_ms / 1000:.1f}", instant_of_ms(part.at_ms))
        named = await here.administering.names({span.account for span in about.spans})
        for span in about.spans:
            handle = f"@{named[span.account].handle}" if span.account in named else span.account
            row("spoke", f"{span.from_ms / 1000:.1f}", f"{span.to_ms / 1000:.1f}", handle)

    run(work)


@keys.command("new")
def new_evidence_key() -> None:
    """Adds a key to the file of keys: rooms are sealed to it after the next start, older ones open what they sealed."""
    _with_keys(lambda keys: f"key {keys.rotate()}")


@keys.command("public")
def public_evidence_key() -> None:
    """Prints what machines without a web process are given as PAROLA_EVIDENCE_KEY."""
    _with_keys(lambda keys: str(keys.public()))


async def _write(here: Services, report: str, out: Path, reason: str) -> None:
    """What cannot be heard leaves no file."""
    try:
        fd = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        fail(f"{out}: {error.strerror}")
    try:
        with os.fdopen(fd, "wb") as file:
            ticket = await here.evidence.listen(me(), report, reason)
            file.write(await here.evidence.redeem(me(), report, ticket.token))
    except BaseException:
        out.unlink()
        raise


def _with_keys(work: Callable[[EvidenceKeys], str]) -> None:
    from parola.rtp.hpke import HpkeError
    from parola.services.evidence_keys import EvidenceKeys

    settings = load_settings()
    try:
        typer.echo(work(EvidenceKeys(settings.evidence_key, settings.evidence_file)))
    except (OSError, HpkeError) as error:
        fail(str(error))
