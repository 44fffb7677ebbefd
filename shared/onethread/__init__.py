"""The library that every Onethread service imports, and all that an outside connector may import."""
