"""`parola admin …`: the administration for whoever has the server itself, beside a server that runs or does not.

It works on the database that PAROLA_DATA_DIR or PAROLA_DATABASE_URL name, and the log calls it "command line".
Running processes are told over the bus where PAROLA_NATS_URL names one; else they find out within seconds.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from parola import logs
from parola.domain.moments import from_milliseconds
from parola.settings import Settings, SettingsError

if TYPE_CHECKING:
    from parola.api.app import Services
    from parola.services.actor import Actor
    from parola.store import KeptPolicy

app = typer.Typer(help="People, rooms, invitations and the audit log.", no_args_is_help=True)
people = typer.Typer(help="Who has an account.", no_args_is_help=True)
rooms = typer.Typer(help="Rooms that are live.", no_args_is_help=True)
invitations = typer.Typer(help="Open ones, how many there are, and what earns more.", no_args_is_help=True)
waitlist = typer.Typer(help="Who waits for an invitation.", no_args_is_help=True)
audit = typer.Typer(help="What administrators did.", no_args_is_help=True)
app.add_typer(people, name="people")
app.add_typer(rooms, name="rooms")
app.add_typer(invitations, name="invitations")
app.add_typer(waitlist, name="waitlist")
app.add_typer(audit, name="audit")

_DEEPEST = 100

Handle = Annotated[str, typer.Argument(help="Without the @")]
Why = Annotated[str, typer.Option(help="Stands in the audit log")]
Most = Annotated[int, typer.Option(help="At most so many", min=1, max=1000)]


@app.command("claim-link")
def claim_link() -> None:
    """Prints a link by which one person becomes an administrator: once, within 24 hours."""

    async def work(here: Services) -> None:
        typer.echo(await here.claims.link())

    run(work)


@people.command("list")
def list_people(
    words: Annotated[str, typer.Argument(help="Of the handle or the name")] = "", limit: Most = 100
) -> None:
    """Handle, role, since when, name; and who is suspended."""

    async def work(here: Services) -> None:
        found = await here.administering.people(me(), words, None, limit)
        for one in found.people:
            mark = "suspended" if one.suspended else "-"
            row(f"@{one.handle}", one.role, mark, one.created_at[:10], one.name)

    run(work)


@people.command()
def suspend(
    handle: Handle,
    reason: Why,
    branch: Annotated[bool, typer.Option(help="Also whoever came by their invitations")] = False,
) -> None:
    """Ends somebody's sessions and connections, and keeps them out until they are restored."""

    async def work(here: Services) -> None:
        typer.echo(f"{await here.administering.suspend(me(), handle, reason, branch)} suspended")

    run(work)


@people.command()
def restore(handle: Handle, reason: Why) -> None:
    """Lets somebody in again."""

    async def work(here: Services) -> None:
        if not await here.administering.restore(me(), handle, reason):
            typer.echo("nothing held")

    run(work)


@people.command()
def role(
    handle: Handle, new: Annotated[str, typer.Argument(help="member or administrator")], reason: Why
) -> None:
    """Makes somebody an administrator, or a member again."""
    run(lambda here: here.administering.set_role(me(), handle, new, reason))


@rooms.command("list")
def list_rooms(limit: Most = 100) -> None:
    """Id, host, since when, title; the newest first."""

    async def work(here: Services) -> None:
        page = await here.administering.live_rooms(me(), None, limit)
        hosts = await here.administering.names({room.host for room in page.rooms})
        for room in page.rooms:
            host = hosts[room.host].handle if room.host in hosts else ""
            started = room.started_at.isoformat(timespec="minutes") if room.started_at else "-"
            row(room.id, f"@{host}", started, room.access.value, room.title)

    run(work)


@rooms.command()
def end(room_id: str, reason: Why) -> None:
    """Ends a live room."""
    run(lambda here: here.administering.end_room(me(), room_id, reason))


@rooms.command()
def visit(
    room_id: str,
    handle: Annotated[str, typer.Argument(help="Which administrator, without the @")],
    reason: Why,
) -> None:
    """Lets an administrator listen to a live room, whoever may enter it; everybody there sees it."""
    run(lambda here: here.administering.visit(me(), room_id, handle, reason))


@rooms.command("end-visit")
def end_visit(room_id: str, handle: Handle) -> None:
    """Ends it where they have not left themselves: they hear nothing more, and nobody sees them there any more."""
    run(lambda here: here.administering.end_visit(me(), room_id, handle))


@audit.command("list")
def list_audit(limit: Most = 50) -> None:
    """The newest first: number, when, who, what, to what, why."""

    async def work(here: Services) -> None:
        entries = await here.administering.audit(me(), None, limit)
        ids = {id for entry in entries for id in (entry.deed.actor, entry.deed.object)}
        named = await here.administering.names(ids)
        handles = {id: f"@{account.handle}" for id, account in named.items()} | {"-": "command line"}
        for entry in entries:
            deed = entry.deed
            actor, thing = (handles.get(id, id) for id in (deed.actor, deed.object))
            row(str(entry.seq), entry.at, actor, deed.action, f"{deed.kind} {thing}", deed.reason)

    run(work)


@audit.command()
def verify(
    seal: Annotated[
        str | None, typer.Option(help="One that was printed before: its entry has to be there")
    ] = None,
) -> None:
    """Checks that every entry follows from the ones before it, and prints the last seal: whoever keeps that elsewhere
    can tell later whether the end of the log was cut off. Exit code 1 where something does not follow."""

    async def work(here: Services) -> None:
        verified = await here.administering.verify(me(), seal)
        if verified.broken_at is not None:
            typer.echo(f"entry {verified.broken_at} does not follow from those before it")
            sys.exit(1)
        if seal is not None and not verified.holds_seal:
            typer.echo("no entry has this seal: the log was cut off, or written anew")
            sys.exit(1)
        typer.echo(f"{verified.count} entries, all in order\nseal {verified.seal or '-'}")

    run(work)


@app.command()
def invite(
    table: Annotated[
        Path, typer.Option("--csv", help="Columns: email, and language (en, it)", exists=True, dir_okay=False)
    ],
) -> None:
    """Mails an invitation to everybody in a file. Where one line cannot be used, nobody is invited."""
    try:
        text = table.read_text("utf-8")
    except UnicodeDecodeError:
        fail(f"{table} is not UTF-8")

    async def work(here: Services) -> None:
        typer.echo(f"{await here.waitlist.invite_founders(me(), text)} invited")

    run(work)


@app.command("tree")
def show_tree(handle: Annotated[str | None, typer.Argument(help="Below this one only")] = None) -> None:
    """Who came by whose invitation."""

    async def work(here: Services) -> None:
        async def below(whom: str | None, depth: int) -> None:
            for node in await here.administering.invited(me(), whom):
                mark = " (suspended)" if node.account.suspended else ""
                typer.echo(f"{'  ' * depth}@{node.account.handle}{mark}")
                if node.invited and depth < _DEEPEST:
                    await below(node.account.handle, depth + 1)

        await below(handle, 0)

    run(work)


@invitations.command("policy")
def show_inviting() -> None:
    """What holds now, a line for each."""

    async def work(here: Services) -> None:
        _inviting(await here.inviting.kept(me()))

    run(work)


@invitations.command("change")
def change_inviting(
    reason: Why,
    each: Annotated[int | None, typer.Option(help="How many everybody has")] = None,
    more: Annotated[int | None, typer.Option(help="And for each who came by one and stayed")] = None,
    days: Annotated[int | None, typer.Option(help="Which is: was heard or listened on so many days")] = None,
    more_at_most: Annotated[int | None, typer.Option(help="At most so many by all of these")] = None,
    life_days: Annotated[int | None, typer.Option(help="For how long an invitation holds")] = None,
    waitlist_a_day: Annotated[
        int | None, typer.Option(help="So many of the waitlist have their turn each day, 0: none by itself")
    ] = None,
    waitlist_days: Annotated[
        int | None, typer.Option(help="And whoever has waited for so many days, 0: nobody by itself")
    ] = None,
) -> None:
    """What is not named stays as it is; it holds at once, and within a minute for the waitlist."""
    named = {
        "each": each,
        "more": more,
        "days": days,
        "more_at_most": more_at_most,
        "life_days": life_days,
        "waitlist_a_day": waitlist_a_day,
        "waitlist_days": waitlist_days,
    }
    given = {name: value for name, value in named.items() if value is not None}

    async def work(here: Services) -> None:
        before = await here.inviting.kept(me())
        _inviting(await here.inviting.change(me(), before.version, given, reason))

    run(work)


@invitations.command("list")
def list_open(limit: Most = 100) -> None:
    """Those that are open, and their codes are told nobody: id, by whom, since when, until when."""

    async def work(here: Services) -> None:
        page = await here.invitations.open_ones(me(), None, limit)
        makers = await here.administering.names({one.made_by for one in page.invitations if one.made_by})
        for one in page.invitations:
            by = f"@{makers[one.made_by].handle}" if one.made_by in makers else "the server"
            until = from_milliseconds(one.expires_at).isoformat()[:10] if one.expires_at is not None else "-"
            row(one.id, by, one.created_at[:10], until)

    run(work)


@invitations.command()
def revoke(which: Annotated[str, typer.Argument(help="Its id, its code, or the link")], reason: Why) -> None:
    """Takes back an open one, whosever it is: nobody signs up by it any more."""
    run(lambda here: here.invitations.revoke_any(me(), which.rpartition("/")[2], reason))


@waitlist.command("list")
def list_waiting(limit: Most = 100) -> None:
    """Place, address, the handle they would like, since when; those first whose turn is next."""

    async def work(here: Services) -> None:
        line = await here.waitlist.line(me(), 0, limit)
        for one in line.waiting:
            since = from_milliseconds(one.created_at).isoformat(timespec="minutes")
            row(str(one.place), one.email, f"@{one.handle}" if one.handle else "-", since)

    run(work)


@waitlist.command()
def approve(
    place: Annotated[list[int] | None, typer.Argument(help="Places, as `list` shows them")] = None,
    first: Annotated[int | None, typer.Option(help="Or so many whose turn is next")] = None,
    older_than_days: Annotated[float | None, typer.Option(help="Or whoever waits for so long", min=0)] = None,
) -> None:
    """Mails an invitation to those whose turn it is."""

    async def work(here: Services) -> None:
        from parola.services import clock

        before = None if older_than_days is None else clock.now() - timedelta(days=older_than_days)
        typer.echo(f"{await here.waitlist.approve(me(), place or None, first, before)} invited")

    run(work)


@app.command()
def health() -> None:
    """What is missing as seen from here, and the media processes that have a lease. Exit code 1 where it is."""

    async def work(here: Services) -> None:
        from parola.api.health import missing

        # Where the bus has no address outside of the server's own processes, nobody can look from here.
        away = [what for what in await missing(here) if what != "bus" or load_settings().nats_url]
        typer.echo(f"missing: {', '.join(away)}" if away else "nothing is missing")
        for lease in here.projections.leases.seen().values():
            row(lease.process_id, lease.machine, f"load {lease.load:.2f}")
        if away:
            sys.exit(1)

    run(work)


def run(work: Callable[[Services], Awaitable[None]]) -> None:
    """Around everything that stands open for it; refusals are told in a line."""
    logs.configure("admin", least=logging.ERROR)
    from parola.bootstrap.commands import at_the_machine
    from parola.domain.errors import Invalid, Refusal
    from parola.store import StoreUnavailable

    settings = load_settings()

    async def there() -> None:
        async with at_the_machine(settings) as here:
            await work(here)

    try:
        asyncio.run(there())
    except Invalid as refusal:
        fields = [f"{e.field}: {e.message}" for e in refusal.errors if e.message != refusal.detail]
        fail("\n".join([*fields, refusal.detail]))
    except Refusal as refusal:
        fail(refusal.detail if refusal.code != "not_found" else "there is no such thing")
    except StoreUnavailable as error:
        fail(f"the database cannot be used: {error}")


def me() -> Actor:
    """Whoever has the machine."""
    from parola.services.actor import AT_THE_MACHINE

    return AT_THE_MACHINE


def load_settings() -> Settings:
    """Complains of what cannot be used, and exits."""
    try:
        return Settings.load()
    except SettingsError as error:
        fail(str(error))


def _inviting(kept: KeptPolicy) -> None:
    for name, value in kept.policy.to_json().items():
        row(name, str(value))


def row(*cells: str) -> None:
    """One line, whatever stands in a cell."""
    typer.echo("\t".join(" ".join(cell.split()) for cell in cells))


def fail(message: str) -> NoReturn:
    for line in message.splitlines():
        typer.echo(f"parola: {line}", err=True)
    sys.exit(2)
