"""How many machines an audience needs: `python -m bench.scale`, out of what was measured."""
