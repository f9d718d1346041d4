"""The rules of a room, pure: no clock, no socket, no random numbers; those come in as arguments."""
