"""The figures that Parola promises, measured on a running server: `make bench`."""
