"""What runs in each kind of process; `wiring` puts a web process's services together. Nothing else wires.

Each kind is a module of its own, with nothing imported but what it runs: imports are most of what a start takes, and
all kinds do theirs at once.
"""
