"""Parola: open live audio rooms. A host speaks, hands the floor to others, and everybody hears."""

__version__ = "0.1.0"
