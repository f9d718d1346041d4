"""The bus between processes: core NATS, and what is said over it."""

from parola.bus import subjects
from parola.bus.bus import Bus, BusUnavailable, Handler, Message, NoResponders, RequestTimeout, Subscription

__all__ = [
    "Bus",
    "BusUnavailable",
    "Handler",
    "Message",
    "NoResponders",
    "RequestTimeout",
    "Subscription",
    "subjects",
]
