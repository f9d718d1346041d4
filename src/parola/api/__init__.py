"""HTTP: bytes to commands and back, no decisions."""
