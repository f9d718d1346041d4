"""`parola admin evidence` and `evidence-key …`: what reports have sealed, and the keys that open it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parola.admin import Why, app, fail, load_settings, me, row, run

if TYPE_CHECKING:
    from parola.api.app import Services
    from parola.services.evidence_keys import EvidenceKeys

__all__ = ["app"]

keys = typer.Typer(help="The keys that open what reports have sealed.", no_args_is_help=True)
app.add_typer(keys, name="evidence-key")


@app.command()
def evidence(
    report: Annotated[str, typer.Argument(help="The report's id")],
    out: Annotated[Path, typer.Option(help="An Ogg file that is not there yet", dir_okay=False)],
    reason: Why,
) -> None:
    """Writes what a report has sealed to a file for its owner alone, and says when each part of it was and who spoke
    when, in seconds."""

    from parola.services.views import instant_of_ms

    async def work(here: Services) -> None:
        about = await here.evidence.about(me(), report)
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
        named = await here.administering.names({span.account for span in about.spans})
        for part in about.parts:
            row(f"{part.from_ms / 1000:.1f}", "", instant_of_ms(part.at_ms))
        for span in about.spans:
            handle = f"@{named[span.account].handle}" if span.account in named else span.account
            row(f"{span.from_ms / 1000:.1f}", f"{span.to_ms / 1000:.1f}", handle)

    run(work)


@keys.command("new")
def new_evidence_key() -> None:
    """Adds a key to the file of keys: rooms are sealed to it after the next start, older ones open what they sealed."""
    _with_keys(lambda keys: f"key {keys.rotate()}")


@keys.command("public")
def public_evidence_key() -> None:
    """Prints what machines without a web process are given as PAROLA_EVIDENCE_KEY."""
    _with_keys(lambda keys: str(keys.public()))


def _with_keys(work: Callable[[EvidenceKeys], str]) -> None:
    from parola.rtp.hpke import HpkeError
    from parola.services.evidence_keys import EvidenceKeys

    settings = load_settings()
    try:
        typer.echo(work(EvidenceKeys(settings.evidence_key, settings.evidence_file)))
    except (OSError, HpkeError) as error:
        fail(str(error))
