"""`parola admin reports | appeals | words`, and `people act`: moderation for whoever has the server itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parola.admin import Handle, Most, Why, app, me, people, row, run

if TYPE_CHECKING:
    from parola.api.app import Services
    from parola.store import Account, Report

__all__ = ["app"]

reports = typer.Typer(help="What people report.", no_args_is_help=True)
appeals = typer.Typer(help="Who appeals against what was done.", no_args_is_help=True)
words = typer.Typer(help="Words that titles and names may not have in them.", no_args_is_help=True)
app.add_typer(reports, name="reports")
app.add_typer(appeals, name="appeals")
app.add_typer(words, name="words")

Id = Annotated[str, typer.Argument(help="As `list` shows it")]
Kind = Annotated[str, typer.Argument(help="warn, remove, suspend, ban or restore")]
Hours = Annotated[float | None, typer.Option(help="For so long; else until it is lifted", min=0)]


@reports.command("list")
def list_reports(
    closed: Annotated[bool, typer.Option(help="Those that are dealt with")] = False, limit: Most = 50
) -> None:
    """Id, about whom, how many reporters, since when, by whom it is taken or how it was closed; the urgent first."""

    async def work(here: Services) -> None:
        page = await here.reports.queue(me(), closed, None, limit)
        people = await here.moderating.people_of({one.account_id for one in page.reports})
        states = await _states(here, page.reports)
        for one, state in zip(page.reports, states, strict=True):
            who = f"@{people[one.account_id].handle}" if one.account_id in people else "-"
            row(one.id, who, str(one.voices), _day(one.opened_at), state)

    run(work)


@reports.command("show")
def show_report(id: Id) -> None:
    """What was said, by whom, who had the floor then, who invited whom it is about, and what was reported and done
    before."""

    async def work(here: Services) -> None:
        case = await here.reports.show(me(), id)
        report = case.report
        ids = {report.account_id, *(told.voice.reporter for told in case.told)}
        ids |= {account for told in case.told for account in told.floor}
        people = await here.moderating.people_of(ids)
        names = {key: f"@{one.handle}" for key, one in people.items()}
        row("about", names.get(report.account_id, "-"), case.room.title if case.room else "-")
        if report.account_id in people:
            row("invited by", await _inviter(here, people[report.account_id]))
        row("state", *(await _states(here, [report])))
        if len(case.told) < report.voices:
            row("newest", f"{len(case.told)} of {report.voices}")
        for told in case.told:
            floor = " ".join(names.get(account, "-") for account in told.floor)
            voice = told.voice
            row(
                "said",
                names.get(voice.reporter, "-"),
                voice.reason.value,
                _minute(voice.at_ms),
                floor,
                voice.text,
            )
        for measure in case.measures:
            row("done", _day(measure.at), measure.kind.value, measure.reason)
        states = await _states(here, case.earlier)
        for one, state in zip(case.earlier, states, strict=True):
            row("earlier", one.id, _day(one.opened_at), str(one.voices), state, one.reason or "")

    run(work)


@reports.command("take")
def take_report(
    id: Id, anyway: Annotated[bool, typer.Option(help="Also from whoever has it")] = False
) -> None:
    """Takes it in hand: nobody else closes it then. `resolve` and `dismiss` take what nobody has by themselves."""
    run(lambda here: here.reports.take(me(), id, anyway))


@reports.command("release")
def release_report(id: Id) -> None:
    """Gives it back to whoever comes next, where the command line has it."""
    run(lambda here: here.reports.release(me(), id))


@reports.command("resolve")
def resolve_report(id: Id, measure: Kind, reason: Why, hours: Hours = None) -> None:
    """Does something about whom it is about, and closes it."""

    async def work(here: Services) -> None:
        await here.reports.resolve(me(), id, _measure(measure), reason, _until(hours))

    run(work)


@reports.command("dismiss")
def dismiss_report(id: Id, reason: Why) -> None:
    """Closes it without doing anything."""
    run(lambda here: here.reports.dismiss(me(), id, reason))


@people.command("act")
def act(handle: Handle, measure: Kind, reason: Why, hours: Hours = None) -> None:
    """Warns, removes, suspends, bans or restores somebody, who is told why and may appeal. Who only listens is put out
    of rooms by a running server's own page alone: from here nobody sees who listens."""

    async def work(here: Services) -> None:
        await here.moderating.act(me(), handle, _measure(measure), reason, _until(hours))

    run(work)


@appeals.command("list")
def list_appeals() -> None:
    """Id, who, against what, why it was done, and what they say; the oldest first."""

    async def work(here: Services) -> None:
        waiting = await here.moderating.appeals(me())
        names = await here.moderating.people_of({one.account_id for one in waiting})
        for one in waiting:
            who = f"@{names[one.account_id].handle}" if one.account_id in names else "-"
            row(one.id, who, one.kind.value, one.reason, one.appeal or "")

    run(work)


@appeals.command("decide")
def decide_appeal(
    id: Id, decision: Annotated[str, typer.Argument(help="upheld or lifted")], reason: Why
) -> None:
    """Leaves a measure as it is, or ends it."""

    async def work(here: Services) -> None:
        from parola.domain.moderation import Decision

        await here.moderating.decide(me(), id, _parsed(Decision, decision, "decision"), reason)

    run(work)


@words.command("list")
def list_words() -> None:
    """In the order of the alphabet."""

    async def work(here: Services) -> None:
        for one in await here.words.list(me()):
            row(one.word, _day(one.at))

    run(work)


@words.command("add")
def add_word(word: str) -> None:
    """Blocks a word, or several in a row, for titles and names of now on."""
    run(lambda here: here.words.add(me(), word))


@words.command("remove")
def remove_word(word: str) -> None:
    """Allows it again."""
    run(lambda here: here.words.remove(me(), word))


async def _states(here: Services, found: Sequence[Report]) -> list[str]:
    """How each was closed, or by whom it is taken; - where nobody has it."""
    people = await here.moderating.people_of({one.taken_by for one in found if one.taken_by})
    handles = {id: f"@{one.handle}" for id, one in people.items()} | {"-": "command line"}
    return [
        one.outcome or (handles.get(one.taken_by, one.taken_by) if one.taken_by else "-") for one in found
    ]


async def _inviter(here: Services, account: Account) -> str:
    """- where nobody has, or they are gone."""
    found = await here.moderating.people_of({account.invited_by} if account.invited_by else set())
    return next((f"@{one.handle}" for one in found.values()), "-")


def _measure(text: str) -> Any:
    from parola.domain.moderation import Measure

    return _parsed(Measure, text, "measure")


def _parsed(kind: Any, text: str, field: str) -> Any:
    from parola.domain.errors import Invalid

    try:
        return kind(text)
    except ValueError as error:
        raise Invalid.field(field, f"One of {', '.join(one.value for one in kind)}.") from error


def _until(hours: float | None) -> Any:
    from parola.services import clock

    return clock.now() + timedelta(hours=hours) if hours is not None else None


def _day(at_ms: int) -> str:
    from parola.api.reports import moment

    return (moment(at_ms) or "-")[:10]


def _minute(at_ms: int | None) -> str:
    return "-" if at_ms is None else f"{at_ms // 60_000}:{at_ms // 1000 % 60:02}"
