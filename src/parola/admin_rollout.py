"""`parola admin rollout …`: leading a trial from the command line, as the page does."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parola.admin import Most, Why, fail, me, row, run

if TYPE_CHECKING:
    from parola.api.app import Services
    from parola.domain.rollout import Plan
    from parola.services.trials import State

app = typer.Typer(help="Who may open rooms: a trial, step by step.", no_args_is_help=True)

Feature = Annotated[str, typer.Option(help="Which one")]
Over = Annotated[bool, typer.Option(help="Although a guard stops it")]
_HOSTING = "hosting"


@app.command()
def show(feature: Feature = _HOSTING) -> None:
    """Version, stage, the next step, and each guard with what it has measured."""

    async def work(here: Services) -> None:
        _state(await here.trials.state(me(), feature))

    run(work)


@app.command("plan")
def show_plan(feature: Feature = _HOSTING) -> None:
    """The plan as JSON, with people by their handles: `change` takes it."""

    async def work(here: Services) -> None:
        state = await here.trials.state(me(), feature)
        typer.echo(json.dumps(await here.trials.with_handles(state.plan), indent=2, ensure_ascii=False))

    run(work)


@app.command()
def history(limit: Most = 20, feature: Feature = _HOSTING) -> None:
    """The newest first: version, when, stage, who, why."""

    async def work(here: Services) -> None:
        kept = await here.trials.history(me(), feature, None, limit)
        named = await here.administering.names({one.author for one in kept})
        handles = {id: f"@{account.handle}" for id, account in named.items()} | {"-": "command line"}
        for one in kept:
            row(
                str(one.version),
                one.at[:19],
                _stage(one.plan),
                handles.get(one.author, one.author),
                one.reason,
            )

    run(work)


@app.command()
def figures(feature: Feature = _HOSTING) -> None:
    """What each stage showed, a line for each figure; the newest stage first."""

    async def work(here: Services) -> None:
        stages = await here.trials.stages(me(), feature)
        row("figure", *(f"{one.stage} v{one.version}" for one in stages))
        for name in _FIGURES:
            row(name, *(_number(getattr(one.measured, name)) for one in stages))

    run(work)


@app.command()
def preview(
    plan: Annotated[
        Path | None, typer.Argument(help="A plan as JSON; the next step where there is none", exists=True)
    ] = None,
    feature: Feature = _HOSTING,
) -> None:
    """Whom a plan would let in, before anything is done."""
    given = _read(plan) if plan is not None else None

    async def work(here: Services) -> None:
        change = await here.trials.preview(me(), feature, given)
        typer.echo(f"of {change.accounts} accounts {change.now} now, {change.then} then")
        typer.echo(f"gained {change.gained}, lost {change.lost}")

    run(work)


@app.command()
def change(
    plan: Annotated[Path, typer.Argument(help="A plan as JSON", exists=True, dir_okay=False)],
    reason: Why,
    override: Over = False,
    feature: Feature = _HOSTING,
) -> None:
    """A new version with this plan."""
    given = _read(plan)
    _lead(feature, lambda here, version: here.trials.change(me(), feature, version, given, reason, override))


@app.command()
def promote(reason: Why, override: Over = False, feature: Feature = _HOSTING) -> None:
    """One step further."""
    _lead(feature, lambda here, version: here.trials.promote(me(), feature, version, reason, override))


@app.command()
def back(
    to: Annotated[int, typer.Argument(help="A version; 0 is what the settings say", min=0)],
    reason: Why,
    feature: Feature = _HOSTING,
) -> None:
    """A new version with the plan of an older one; running rooms go on as they began."""
    _lead(feature, lambda here, version: here.trials.roll_back(me(), feature, version, to, reason))


_FIGURES = (
    "rooms",
    "listeners",
    "listening_minutes",
    "removals_per_1000_hours",
    "reports_per_1000_hours",
    "failed_join_part",
    "first_sound_ms",
    "returned",
    "liked",
)


def _lead(feature: str, do: Callable[[Services, int], Awaitable[State]]) -> None:
    """Upon the version that is the newest now."""

    async def work(here: Services) -> None:
        before = await here.trials.state(me(), feature)
        _state(await do(here, before.version))

    run(work)


def _state(state: State) -> None:
    row("version", str(state.version))
    row("stage", _stage(state.plan))
    row("next", _stage(state.following) if state.following != state.plan else "-")
    tripping = {breach.guard for breach in state.breaches}
    for guard in state.plan.guards:
        measured = _number(getattr(state.measured, guard.figure))
        trips = ("stops" if guard.action == "stop" else "warns") if guard in tripping else "holds"
        row("guard", f"{guard.figure} at {guard.side} {guard.bound:g}", f"measured {measured}", trips)


def _stage(plan: Plan) -> str:
    return f"{plan.percent:g} %" if plan.stage == "percent" else plan.stage.value


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        fail(f"{path} is no JSON: {error}")
    if not isinstance(found, dict):
        fail(f"{path} is no plan")
    return found
