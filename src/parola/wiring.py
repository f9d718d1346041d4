"""Puts a web process's services together, around a store and a bus that are open."""

from __future__ import annotations

import time

from parola.api.app import Services
from parola.api.limiting import Limits
from parola.api.metrics import Metrics
from parola.api.sharing import Cards
from parola.bus import Bus
from parola.bus.figures import common
from parola.domain.inviting import InvitingPolicy
from parola.domain.limits import ROOMS_OF_A_HOST
from parola.domain.rollout import Feature
from parola.outbound import Outbound
from parola.projection import Projections
from parola.services import clock
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
from parola.services.evidence_keys import EvidenceKeys
from parola.services.export import Export
from parola.services.feeds import Feeds
from parola.services.hosting import Hosting
from parola.services.invitations import Invitations
from parola.services.inviting import Inviting
from parola.services.keeping_out import KeepingOut
from parola.services.keyring import Keyring
from parola.services.mail import Mailer, into_the_log, over_smtp
from parola.services.mailing import Mailing
from parola.services.mastodon import Mastodon
from parola.services.moderating import Moderating
from parola.services.notices import Notices
from parola.services.notifying import ConfirmedMailboxes, Notifying
from parola.services.openid import Client, OpenId
from parola.services.passkeys import Passkeys
from parola.services.passwords import Passwords
from parola.services.people import People
from parola.services.pictures import Pictures
from parola.services.provider import Provider
from parola.services.pushing import Pusher
from parola.services.reports import Reports
from parola.services.rollout import Rollout
from parola.services.rooms import Rooms
from parola.services.rounds import Addresses, Rounds
from parola.services.secret import Secret
from parola.services.sessions import Sessions
from parola.services.signalling import Signalling
from parola.services.streams import Streams
from parola.services.tallies import Tallies
from parola.services.tidying import Tidying
from parola.services.trials import Trials
from parola.services.views import Views
from parola.services.waiting import WaitingList
from parola.services.wishes import Wishes
from parola.services.words import HostWords, Words
from parola.settings import Settings
from parola.store import Blobs, Store


def make_services(
    settings: Settings,
    store: Store,
    bus: Bus,
    outbound: Outbound | None = None,
    addresses: Addresses | None = None,
) -> tuple[Services, Projections, Audience, Feeds]:
    """Everything that a web process needs, around a store and a bus that are open."""
    # long: one line for each piece; nothing is decided here
    projections = Projections(store, bus, time.monotonic, with_blocks=True)
    audience = Audience(bus, time.monotonic)
    audience.on_process_gone(projections.leases.forget)
    projections.leases.on_death(audience.forget)
    gate = Gate(store, projections)
    views = Views(store, audience, settings.public_url, settings.evidence_minutes)
    streams = Streams(store, bus)
    feeds = Feeds(store, bus, projections, audience, views, streams, clock.now)
    words = Words(store, clock.now)
    host_words = HostWords(store, words, clock.now)
    people = People(store, words, clock.now)
    rollout = Rollout(store, bus, time.monotonic, {Feature.HOSTING: settings.hosting_plan})
    hosting = Hosting(store, rollout, clock.now)
    capacity, at_most = settings.stage_capacity, ROOMS_OF_A_HOST if settings.limits != "off" else {}
    rooms = Rooms(
        store,
        bus,
        gate,
        projections,
        audience,
        hosting,
        host_words,
        clock.now,
        time.monotonic,
        capacity,
        at_most,
    )
    tallies = Tallies(store, bus, gate, audience, clock.now, time.monotonic, settings.process_id)
    trials = Trials(store, rollout, clock.now, time.monotonic)
    tallies.on_kept(trials.watch)
    days = Days(store, clock.now)
    signalling = Signalling(store, bus, gate, projections, audience, days, time.monotonic, tallies)
    registration = settings.registration
    inviting = Inviting(store, clock.now, InvitingPolicy(settings.invitations))
    send = over_smtp(settings.smtp_url) if settings.smtp_url else into_the_log
    passwords = Passwords()
    sessions = Sessions(store, bus, passwords, words, clock.now, registration)
    passkeys = Passkeys(store, sessions, clock.now, settings.public_url)
    notifying = Notifying(store, ConfirmedMailboxes(store), clock.now, settings.public_url)
    administering = Administering(store, sessions, rooms, notifying, clock.now)
    moderating = Moderating(store, administering, rooms, audience, notifying, clock.now, time.monotonic)
    # Others' servers, and what this one is known to them by.
    outbound = outbound or Outbound(settings.outbound_trusted)
    addresses = addresses or store.credentials
    path = settings.data_dir / "push-key"
    secret = Secret(settings.push_key) if settings.push_key else Secret.kept(path)
    pusher = Pusher(secret, outbound, settings.mail_from)
    public_url = settings.public_url
    wishes = Wishes(store, people, secret, outbound, pusher, addresses, clock.now, public_url)
    blobs = Blobs(settings.blob_url)
    pictures = Pictures(store, blobs, people)
    counting = (rooms.silence_seconds, rooms.unconfirmed, signalling.takeovers, trials.trips)
    keys = EvidenceKeys(settings.evidence_key, settings.evidence_file)
    evidence = Evidence(store, blobs, bus, projections, keys, clock.now, settings.evidence_days)
    services = Services(
        store=store,
        bus=bus,
        projections=projections,
        audience=audience,
        gate=gate,
        administering=administering,
        moderating=moderating,
        reports=Reports(store, gate, audience, people, moderating, evidence, clock.now),
        words=words,
        host_words=host_words,
        keeping_out=KeepingOut(store, people, rooms, clock.now),
        inviting=inviting,
        invitations=Invitations(store, clock.now, registration, inviting),
        waitlist=WaitingList(store, clock.now, settings.public_url, registration, inviting),
        days=days,
        mailer=Mailer(store, clock.now, send, settings.mail_from),
        claims=Claims(store, clock.now, settings.public_url),
        sessions=sessions,
        passkeys=passkeys,
        keyring=Keyring(store, sessions, passkeys, passwords, clock.now),
        mailing=Mailing(store, sessions, clock.now, settings.public_url),
        tidying=Tidying(store, sessions, clock.now, time.monotonic),
        deletion=Deletion(store, bus, sessions, rooms, pictures, clock.now),
        pictures=pictures,
        export=Export(store, views, pictures, clock.now),
        elsewhere=Elsewhere(store, sessions, _providers(settings, store, outbound), public_url, clock.now),
        people=people,
        blocking=Blocking(store, people, rooms, clock.now),
        rollout=rollout,
        hosting=hosting,
        tallies=tallies,
        trials=trials,
        closing=Closing(store, rooms, clock.now),
        evidence=evidence,
        rooms=rooms,
        signalling=signalling,
        feeds=feeds,
        notices=Notices(store, bus, views, streams),
        wishes=wishes,
        rounds=Rounds(store, bus, pusher, addresses, clock.now, public_url, wishes.unsubscribe_url),
        outbound=outbound,
        views=views,
        deadlines=Deadlines(store, rooms, clock.now, time.monotonic),
        attendance=Attendance(
            store,
            bus,
            projections,
            audience,
            feeds,
            rooms,
            time.monotonic,
            f"{settings.machine}/{settings.child}",
            settings.process_id,
            settings.host_away_s,
            settings.hand_away_s,
        ),
        limits=Limits(settings.limits != "off", time.monotonic),
        metrics=Metrics(settings.machine, settings.child, (store.figures, *common(bus), *counting)),
        cards=Cards(store, gate, audience, people, settings.public_url),
        public_url=settings.public_url,
        needs_media=True,
    )
    return services, projections, audience, feeds


def _providers(settings: Settings, store: Store, outbound: Outbound) -> dict[str, Provider]:
    """Where else one may sign in, by id."""
    found: dict[str, Provider] = {}
    if settings.oidc_issuer:
        client = Client(settings.oidc_client_id, settings.oidc_client_secret)
        issuer, name = settings.oidc_issuer, settings.oidc_name
        asking = outbound.trusting([settings.issuer_origin])
        found["oidc"] = OpenId(asking, issuer, client, name, clock.now, time.monotonic)
    if settings.mastodon == "on":
        found["mastodon"] = Mastodon(store, outbound, settings.public_url)
    return found
