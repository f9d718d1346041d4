"""The folded state of open rooms in one process: messages make it quick, comparison with SQL makes it true."""

from parola.projection.projections import Projections
from parola.projection.watched import Watched

__all__ = ["Projections", "Watched"]
