"""What is measured of a crowd of listeners, one question a module."""
