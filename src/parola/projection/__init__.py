"""The folded state of open rooms in one process, kept equal to SQL: messages make it quick, comparison makes it true."""

from parola.projection.projections import Projections
from parola.projection.watched import Watched

__all__ = ["Projections", "Watched"]
