"""The names under which processes talk to each other."""

MEDIA_GONE = "media.gone"
ROOM_STARTED = "rooms.started"
SESSION_ENDED = "session.ended"
ACCOUNT_DELETED = "account.deleted"
ROLLOUT_CHANGED = "rollout.changed"
ROLLOUT_HEARD = "rollout.heard"
PRESENCE = "media.presence"
NEVER_UP = "media.never_up"
READING = "web.reading"
NOBODY = "media.nobody"
"""Nobody listens here: that the server says so proves that it has read everything before."""


def presence_pages(asker: str) -> str:
    """Where one web process hears again who is connected."""
    return f"media.pages.{asker}"


def media(process_id: str, verb: str) -> str:
    """Orders to one media process."""
    return f"media.{process_id}.{verb}"


def room_events(room_id: str) -> str:
    return f"room.{room_id}.events"


def room_passing(room_id: str) -> str:
    return f"room.{room_id}.passing"


def room_owner(room_id: str) -> str:
    return f"room.{room_id}.owner"


def room_out(room_id: str, output: str) -> str:
    """The frames of one output of a room's mixer."""
    return f"room.{room_id}.out.{output}"
