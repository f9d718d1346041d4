"""One file per use case: load, authorise, decide, append, publish."""
