"""The fan-out: one payload, encrypted for each listener and sent in batches, on threads beside the event loop.

`Sender` is what the rest of the house sees. What its thread does stands twice: compiled by numba (`compiled`), which
holds no GIL, and in plain Python (`plain`), the reference and what is left where there is no numba (ADR 8). Both work
on the memory that `layout` describes and pass the same tests.
"""

from parola.media.fanout.sender import Sender, SenderFull

__all__ = ["Sender", "SenderFull"]
