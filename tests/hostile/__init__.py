"""The catalogue of bad input, each row against the real thing: `test_row_NN_…`.

A row is inert when all of its tests pass.
"""
