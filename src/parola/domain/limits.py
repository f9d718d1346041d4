"""What one address, or one host, may hold, in whatever kind of process."""

from __future__ import annotations

from parola.domain.rooms import Lifecycle

OPEN_CONNECTIONS = 2000
ROOMS_OF_A_HOST = {Lifecycle.LIVE: 10, Lifecycle.SCHEDULED: 50}
"""At once: what a host does in all of their rooms is done in each of them."""
