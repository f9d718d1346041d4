"""What the first version of the tables held, as it wrote it: a live room with everything in it, and whoever was there.

Frozen: this is what lies in the databases that people have. Whoever changes these rows changes history.
"""

from __future__ import annotations

from typing import Any

AT = "2026-01-02T03:04:05.678000+00:00"
_PEOPLE = ("ada", "bob", "carla", "dan", "eve", "mallory", "frank")

EVENTS = (
    '{"type":"room.created","seq":1,"at":"2026-01-02T03:04:05.678000+00:00","by":"ada","room":"room",'
    '"title":"Über alles reden","access":"open","guests":true,"starts_at":null}',
    '{"type":"room.started","seq":2,"at":"2026-01-02T03:04:05.678000+00:00","by":"ada"}',
    '{"type":"hand.raised","seq":3,"at":"2026-01-02T03:04:07.678000+00:00","by":"bob","account":"bob"}',
    '{"type":"floor.granted","seq":4,"at":"2026-01-02T03:04:08.678000+00:00","by":"ada","account":"bob"}',
    '{"type":"speaker.muted","seq":5,"at":"2026-01-02T03:04:09.678000+00:00","by":"ada","account":"bob"}',
    '{"type":"speaker.unmuted","seq":6,"at":"2026-01-02T03:04:10.678000+00:00","by":"bob","account":"bob"}',
    '{"type":"cohost.added","seq":7,"at":"2026-01-02T03:04:11.678000+00:00","by":"ada","account":"carla"}',
    '{"type":"hand.raised","seq":8,"at":"2026-01-02T03:04:12.678000+00:00","by":"dan","account":"dan"}',
    '{"type":"floor.offered","seq":9,"at":"2026-01-02T03:04:13.678000+00:00","by":"ada","account":"eve"}',
    '{"type":"person.removed","seq":10,"at":"2026-01-02T03:04:14.678000+00:00","by":"carla","account":"mallory"}',
    '{"type":"person.invited","seq":11,"at":"2026-01-02T03:04:15.678000+00:00","by":"ada","account":"frank"}',
)
SNAPSHOT = (
    '{"id":"room","host":"ada","title":"Über alles reden","access":"open","guests":true,"state":"live","seq":11,'
    '"created_at":"2026-01-02T03:04:05.678000+00:00","starts_at":null,'
    '"started_at":"2026-01-02T03:04:05.678000+00:00","ended_at":null,'
    '"speakers":[["ada",false],["bob",false]],"hands":[["dan","2026-01-02T03:04:12.678000+00:00"]],'
    '"offers":["eve"],"cohosts":["carla"],"removed":["mallory"],"invited":["frank"]}'
)

ROWS: dict[str, list[dict[str, Any]]] = {
    "accounts": [
        {"id": p, "handle": p, "name": p.title(), "bio": "", "password_hash": "-", "created_at": AT}
        for p in _PEOPLE
    ],
    "sessions": [{"id": "session", "token_hash": "hash", "account_id": "bob", "created_at": AT}],
    "invites": [
        {"code_hash": "open", "created_at": AT, "used_by": None, "used_at": None},
        {"code_hash": "used", "created_at": AT, "used_by": "bob", "used_at": AT},
    ],
    "follows": [{"follower": "bob", "followed": "ada"}, {"follower": "carla", "followed": "ada"}],
    "rooms": [
        {
            "id": "room",
            "host": "ada",
            "title": "Über alles reden",
            "access": "open",
            "guests": True,
            "state": "live",
            "seq": 11,
            "listed_at": 1767323045678,
            "snapshot": SNAPSHOT,
            "owner": "process",
            "epoch": 3,
        }
    ],
    "room_events": [
        {"room_id": "room", "seq": seq, "body": body} for seq, body in enumerate(EVENTS, start=1)
    ],
    "room_people": [
        {"room_id": "room", "account_id": "carla", "relation": "cohost"},
        {"room_id": "room", "account_id": "mallory", "relation": "removed"},
        {"room_id": "room", "account_id": "frank", "relation": "invited"},
    ],
    "leases": [{"process_id": "process", "machine": "here", "beat": 5_000_000_000, "load": 0.25}],
}
