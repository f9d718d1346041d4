"""Every parser that strangers can reach, against inputs that a fuzzer makes up: `make fuzz SECONDS=60`.

A target is a module of `fuzz.targets` with `SEEDS`, a few inputs as they ought to be, and `check`, which takes any
bytes and raises where the server would do something that it must not: fail otherwise than by its own error, answer more
than it was asked, lose what it has read, connect a stranger. What was found stays in `tests/fuzz/fixtures`, and the
suite plays all of it through `check` for good.
"""
