"""`parola doctor`: what is wrong with this machine for the settings that `parola serve` would use, and what to do.

Each check is a function from what was found to findings, so that it can be tried with what this machine does not have;
`visit` finds out and asks them all. Nothing is changed: no port is kept, no folder made, no table touched.
"""

from parola.doctor.finding import Finding, Level, report
from parola.doctor.visit import visit

__all__ = ["Finding", "Level", "report", "visit"]
