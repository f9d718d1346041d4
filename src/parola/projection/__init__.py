"""Each process's own view of the rooms it watches, fed by the bus and corrected from the store."""
