"""The HTTP face of Parola: routes, errors, and what wraps every call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from parola.api import (
    accounts,
    administration,
    admission,
    connections,
    credentials,
    devices,
    elsewhere,
    events,
    evidence,
    floor,
    health,
    invitations,
    leading,
    moderation,
    notices,
    own,
    people,
    problems,
    reports,
    rollout,
    rooms,
    sharing,
    signing_in,
    waitlist,
    words,
)
from parola.api.guard import Guard
from parola.api.limiting import Limits
from parola.api.metrics import Metrics
from parola.api.page import mount_page
from parola.api.sharing import Cards
from parola.bus import Bus
from parola.outbound import Outbound
from parola.projection import Projections
from parola.services.access import Gate
from parola.services.administering import Administering
from parola.services.attendance import Attendance
from parola.services.audience import Audience
from parola.services.blocking import Blocking
from parola.services.claims import Claims
from parola.services.closing import Closing
from parola.services.days import Days
from parola.services.deadlines import Deadlines
from parola.services.deletion import Deletion
from parola.services.elsewhere import Elsewhere
from parola.services.evidence import Evidence
from parola.services.export import Export
from parola.services.feeds import Feeds
from parola.services.hosting import Hosting
from parola.services.invitations import Invitations
from parola.services.inviting import Inviting
from parola.services.keeping_out import KeepingOut
from parola.services.keyring import Keyring
from parola.services.mail import Mailer
from parola.services.mailing import Mailing
from parola.services.moderating import Moderating
from parola.services.notices import Notices
from parola.services.passkeys import Passkeys
from parola.services.people import People
from parola.services.pictures import Pictures
from parola.services.reports import Reports
from parola.services.rollout import Rollout
from parola.services.rooms import Rooms
from parola.services.rounds import Rounds
from parola.services.sessions import Sessions
from parola.services.signalling import Signalling
from parola.services.tallies import Tallies
from parola.services.tidying import Tidying
from parola.services.trials import Trials
from parola.services.views import Views
from parola.services.waiting import WaitingList
from parola.services.wishes import Wishes
from parola.services.words import HostWords, Words
from parola.store import Store

ROUTERS = (
    accounts.router,
    signing_in.router,
    credentials.router,
    devices.router,
    people.router,
    own.router,
    words.router,
    elsewhere.router,
    rooms.people,
    rooms.router,
    floor.router,
    leading.router,
    events.router,
    events.mine,
    notices.router,
    notices.by_mail,
    rollout.saying,
    connections.router,
    sharing.router,
    health.router,
    invitations.router,
    waitlist.router,
    reports.router,
    administration.claims,
    administration.router,
    evidence.router,
    rollout.router,
    admission.router,
    moderation.router,
)
"""Every call there is, in the order in which paths are compared."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that the routes call, and what runs beside them; `bootstrap` makes it."""

    store: Store
    bus: Bus
    projections: Projections
    audience: Audience
    gate: Gate
    administering: Administering
    moderating: Moderating
    reports: Reports
    words: Words
    host_words: HostWords
    keeping_out: KeepingOut
    claims: Claims
    inviting: Inviting
    invitations: Invitations
    waitlist: WaitingList
    days: Days
    mailer: Mailer
    sessions: Sessions
    passkeys: Passkeys
    keyring: Keyring
    mailing: Mailing
    tidying: Tidying
    deletion: Deletion
    pictures: Pictures
    export: Export
    elsewhere: Elsewhere
    people: People
    blocking: Blocking
    rollout: Rollout
    hosting: Hosting
    closing: Closing
    evidence: Evidence
    tallies: Tallies
    trials: Trials
    rooms: Rooms
    signalling: Signalling
    feeds: Feeds
    notices: Notices
    wishes: Wishes
    rounds: Rounds
    outbound: Outbound
    views: Views
    deadlines: Deadlines
    attendance: Attendance
    limits: Limits
    metrics: Metrics
    cards: Cards
    public_url: str
    needs_media: bool


class _App(FastAPI):
    """Describes problems, too: they are what every call may answer, in the place of FastAPI's own refusals."""

    def openapi(self) -> dict[str, Any]:
        described = super().openapi()
        schemas = described["components"]["schemas"]
        for unsaid in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unsaid, None)
        schemas |= problems.SCHEMAS
        for calls in described["paths"].values():
            for call in calls.values():
                call["responses"] |= problems.RESPONSES
        return described


def make_app(
    services: Services,
    page: Path,
    run: Callable[[], Awaitable[None]] | None = None,
    close: Callable[[], Awaitable[None]] | None = None,
) -> FastAPI:
    """`run` is awaited before the first call, `close` after the last; `page` is the folder of the built page."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if run is not None:
            await run()
        yield
        if close is not None:
            await close()

    app = _App(
        title="Parola",
        version="1",
        description="Open live audio rooms. Errors are RFC 9457 problems with a stable `code`.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.services = services
    problems.install(app)
    for router in ROUTERS:
        # Not included: FastAPI would work out each route anew for each app, and compare each path twice.
        app.router.routes.extend(router.routes)
    mount_page(app, page, services.cards, services.public_url)
    app.add_middleware(Guard, services=services)
    return app
