"""Messages between processes over NATS: what may be lost and is checked against the store."""
