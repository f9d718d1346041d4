"""Faults on purpose: what is killed, cut off, flooded or starved, and what people hear of it meanwhile."""
