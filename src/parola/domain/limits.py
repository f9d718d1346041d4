"""What one address may hold, in whatever kind of process."""

from __future__ import annotations

OPEN_CONNECTIONS = 2000
