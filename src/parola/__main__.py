"""`python -m parola`."""

from parola.cli import main

main()
