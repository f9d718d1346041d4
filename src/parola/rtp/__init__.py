"""Wire formats, one file each, sans-IO: bytes and time go in, bytes and events come out."""
