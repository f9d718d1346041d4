"""Something sealed for a report, as a media process would have kept it."""

from __future__ import annotations

import base64
import secrets
from typing import Any

from parola.bus import Message, subjects
from parola.bus.messages import EvidenceOrder, EvidencePart
from parola.media.codec import FRAME, Encoder, Pcm
from parola.media.keeping import Keeping
from parola.services.evidence_keys import EvidenceKeys
from tests.media.fakes import live_room
from tests.web_process import WebProcess

UNIX_AT_0 = 1_700_000_000


async def sealed(web: WebProcess, talker: str = "host", seconds: int = 1) -> str:
    """The id of a new report; `talker` is an account's."""
    evidence: Any = web.services.evidence
    keys: EvidenceKeys = evidence._keys
    keys.make()
    keeping = Keeping(keys.public(), lambda: 0.0, UNIX_AT_0, 600.0)
    room, encoder = live_room(), Encoder()
    for tick in range(seconds * 50):
        packet = encoder.encode(_silence())
        keeping.open(room.id).heard(room, tick, tick / 50, (talker,), packet)

    async def answer(message: Message) -> None:
        order = EvidenceOrder.from_bytes(message.data)
        found, until = keeping.part(order.room_id, order.after, order.until)
        pieces = [(one.number, base64.b64encode(one.data).decode()) for one in found]
        await message.respond(EvidencePart(pieces, until).to_bytes())

    subscription = await web.bus.subscribe(subjects.media(web.media.process_id, "evidence"), answer)
    report = secrets.token_urlsafe(16)
    assert await web.services.evidence.seal(room.id, report)
    await subscription.unsubscribe()
    return report


def _silence() -> Pcm:
    import numpy as np

    return np.zeros(FRAME, np.float32)
