"""Real WebRTC listeners by the thousand, and what serving them costs, beside the peers: `make bench-listeners`."""
