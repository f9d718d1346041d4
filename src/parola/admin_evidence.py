"""`parola admin evidence …`: what reports have sealed, and the keys that open it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parola.admin import Why, fail, load_settings, me, row, run

if TYPE_CHECKING:
    from parola.api.app import Services

app = typer.Typer(help="What reports have sealed, and the keys that open it.", no_args_is_help=True)


@app.command()
def listen(
    report: Annotated[str, typer.Argument(help="The report's id")],
    out: Annotated[Path, typer.Option(help="An Ogg file to write", dir_okay=False)],
    reason: Why,
) -> None:
    """Writes what a report has sealed to a file, for its owner's eyes, and says who spoke when."""

    async def work(here: Services) -> None:
        about = await here.evidence.about(me(), report)
        ticket = await here.evidence.listen(me(), report, reason)
        sound = await here.evidence.redeem(me(), report, ticket.token)
        fd = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(sound)
        named = await here.administering.names({span.account for span in about.spans})
        for span in about.spans:
            handle = f"@{named[span.account].handle}" if span.account in named else span.account
            row(f"{span.from_ms / 1000:.1f}", f"{span.to_ms / 1000:.1f}", handle)

    run(work)


@app.command("new-key")
def new_evidence_key() -> None:
    """Adds a key to the file of keys: rooms are sealed to it after the next start, older ones open what they sealed."""
    from parola.rtp.hpke import HpkeError
    from parola.services.evidence_keys import EvidenceKeys

    settings = load_settings()
    try:
        typer.echo(f"key {EvidenceKeys(settings.evidence_key, settings.evidence_file).rotate()}")
    except (OSError, HpkeError) as error:
        fail(str(error))


@app.command("public-key")
def public_evidence_key() -> None:
    """Prints what machines without a web process are given as PAROLA_EVIDENCE_KEY."""
    from parola.rtp.hpke import HpkeError
    from parola.services.evidence_keys import EvidenceKeys

    settings = load_settings()
    try:
        typer.echo(str(EvidenceKeys(settings.evidence_key, settings.evidence_file).public()))
    except (OSError, HpkeError) as error:
        fail(str(error))
