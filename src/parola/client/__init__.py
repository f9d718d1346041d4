"""Independent clients of the protocol, on aiortc; they share nothing with the server."""
