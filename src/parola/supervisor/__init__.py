"""The parent of all processes of one machine: starts them, starts them again when they die, and ends them together.

Invariants: no child outlives it, not even when it is killed itself; a media process that dies is reported at once; a
data folder has one supervisor at a time; and the HTTP port is never lost, since it is the supervisor that holds it.
"""

from parola.supervisor.claims import StartError
from parola.supervisor.house import House
from parola.supervisor.serve import serve

__all__ = ["House", "StartError", "serve"]
