"""Staged rollout: for administrators; and what a page says of its room."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from parola.api.accounts import Body
from parola.api.administration import Admin, Gated, Limit
from parola.api.caller import address, caller, services
from parola.api.permissions import ADMINISTRATOR, WHO_MAY_ENTER, may
from parola.domain.audit import COMMAND_LINE, GUARD, SETTINGS
from parola.domain.rollout import Measured
from parola.domain.rollout.sounds import MOST_MS
from parola.services.caller import Caller
from parola.services.trials import State

router = APIRouter(prefix="/api/admin/rollout", tags=["administration"], route_class=Gated)
saying = APIRouter(prefix="/api/rooms/{room_id}", tags=["rooms"])

Who = Annotated[Caller, Depends(caller)]
Version = Annotated[int, Field(ge=0, le=1 << 30)]
By = Literal["person", "command_line", "guard", "settings"]
_NOBODY: dict[str, By] = {COMMAND_LINE: "command_line", GUARD: "guard", SETTINGS: "settings"}


class Changing(Body):
    """`expected` is the version that one has seen; 0 where there was none yet."""

    expected: Version
    reason: str


class Promotion(Changing):
    override: bool = False


class PlanChange(Promotion):
    plan: dict[str, Any]


class RollingBack(Changing):
    to: Version


class Preview(Body):
    plan: dict[str, Any] | None = None


class HeardBody(Body):
    """`connection` is the last step of the `Location` that WHEP has answered."""

    connection: Annotated[str, Field(max_length=128)]
    ms: Annotated[int, Field(ge=0, le=MOST_MS)]


class Answer(Body):
    good: bool


class FiguresView(BaseModel):
    """A null is a rate of nothing."""

    rooms: int
    listeners: int
    listening_minutes: float
    removals: int
    removals_per_1000_hours: float | None
    reports: int
    reports_per_1000_hours: float | None
    joins: int
    failed_joins: int
    failed_join_part: float | None
    first_sound_ms: float | None
    returned: float | None
    liked: float | None


class StageView(FiguresView):
    version: int
    stage: str


class GuardView(BaseModel):
    figure: str
    bound: float
    side: Literal["most", "least"]
    action: Literal["warn", "stop"]
    enough: float
    measured: float | None
    trips: bool


class StateView(BaseModel):
    """`since`: the version with which the present step began; its figures are those of all versions from there on."""

    feature: str
    version: int
    plan: dict[str, Any]
    following: dict[str, Any] | None
    since: int
    figures: FiguresView
    guards: list[GuardView]


class FeaturesView(BaseModel):
    features: list[StateView]


class VersionView(BaseModel):
    """`author` is a handle, null where `by` is no person; `at` is null for the version of the settings."""

    version: int
    plan: dict[str, Any]
    author: str | None
    by: By
    reason: str
    at: str | None


class HistoryView(BaseModel):
    versions: list[VersionView]
    next: int | None


class StagesView(BaseModel):
    stages: list[StageView]


class ChangeView(BaseModel):
    accounts: int
    now: int
    then: int
    gained: int
    lost: int


@router.get("")
@may(ADMINISTRATOR)
async def features(request: Request, who: Admin) -> FeaturesView:
    states = await services(request).trials.states(who)
    return FeaturesView(features=[await _state(request, state) for state in states])


@router.get("/{feature}")
@may(ADMINISTRATOR)
async def feature(request: Request, who: Admin, feature: str) -> StateView:
    return await _state(request, await services(request).trials.state(who, feature))


@router.get("/{feature}/history")
@may(ADMINISTRATOR)
async def history(
    request: Request,
    who: Admin,
    feature: str,
    cursor: Annotated[int | None, Query(ge=1, le=1 << 30)] = None,
    limit: Limit = 50,
) -> HistoryView:
    """The newest first; version 0 is that of the settings."""
    here = services(request)
    kept = await here.trials.history(who, feature, cursor, limit)
    authors = await here.administering.names({one.author for one in kept})
    versions = [
        VersionView(
            version=one.version,
            plan=await here.trials.with_handles(one.plan),
            author=authors[one.author].handle if one.author in authors else None,
            by=_NOBODY.get(one.author, "person"),
            reason=one.reason,
            at=one.at or None,
        )
        for one in kept
    ]
    more = len(kept) == limit and kept[-1].version > 0
    return HistoryView(versions=versions, next=kept[-1].version if more else None)


@router.get("/{feature}/figures")
@may(ADMINISTRATOR)
async def figures(request: Request, who: Admin, feature: str) -> StagesView:
    """Each stage of each version in which there was a room, the newest first."""
    stages = await services(request).trials.stages(who, feature)
    return StagesView(
        stages=[
            StageView(version=one.version, stage=one.stage, **_figures(one.measured).model_dump())
            for one in stages
        ]
    )


@router.post("/{feature}/preview")
@may(ADMINISTRATOR)
async def preview(request: Request, who: Admin, feature: str, body: Preview) -> ChangeView:
    """Of the next step where no plan is given."""
    change = await services(request).trials.preview(who, feature, body.plan)
    return ChangeView(
        accounts=change.accounts, now=change.now, then=change.then, gained=change.gained, lost=change.lost
    )


@router.post("/{feature}/change")
@may(ADMINISTRATOR)
async def change(request: Request, who: Admin, feature: str, body: PlanChange) -> StateView:
    trials = services(request).trials
    state = await trials.change(who, feature, body.expected, body.plan, body.reason, body.override)
    return await _state(request, state)


@router.post("/{feature}/promote")
@may(ADMINISTRATOR)
async def promote(request: Request, who: Admin, feature: str, body: Promotion) -> StateView:
    trials = services(request).trials
    state = await trials.promote(who, feature, body.expected, body.reason, body.override)
    return await _state(request, state)


@router.post("/{feature}/rollback")
@may(ADMINISTRATOR)
async def roll_back(request: Request, who: Admin, feature: str, body: RollingBack) -> StateView:
    trials = services(request).trials
    return await _state(request, await trials.roll_back(who, feature, body.expected, body.to, body.reason))


@saying.post("/heard", status_code=204)
@may(WHO_MAY_ENTER)
async def heard(request: Request, who: Who, room_id: str, body: HeardBody) -> None:
    """How long it took to the first sound. Answered the same whether it counts or not."""
    here = services(request)
    here.limits.say(address(request))
    room = await here.gate.admit(who, room_id)
    await here.tallies.heard(who, room.id, body.connection, body.ms)


@saying.post("/survey", status_code=204)
@may(WHO_MAY_ENTER)
async def survey(request: Request, who: Who, room_id: str, body: Answer) -> None:
    """Was it good to be there? Answered the same whether it counts or not."""
    here = services(request)
    here.limits.say(address(request))
    await here.tallies.answer(who, room_id, body.good)


async def _state(request: Request, state: State) -> StateView:
    trials = services(request).trials
    tripping = {breach.guard for breach in state.breaches}
    guards = [
        GuardView(**guard.to_json(), measured=getattr(state.measured, guard.figure), trips=guard in tripping)
        for guard in state.plan.guards
    ]
    goes_on = state.following != state.plan
    return StateView(
        feature=state.feature,
        version=state.version,
        plan=await trials.with_handles(state.plan),
        following=await trials.with_handles(state.following) if goes_on else None,
        since=state.since,
        figures=_figures(state.measured),
        guards=guards,
    )


def _figures(measured: Measured) -> FiguresView:
    return FiguresView(**{name: getattr(measured, name) for name in FiguresView.model_fields})
