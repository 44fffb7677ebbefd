"""The schemas of what is on the log, generated from the code and kept beside it; and the gate that keeps version 1 whole."""

from onethread.schemas.compatibility import incompatible
from onethread.schemas.generate import FOLDER, check, files, write

__all__ = ["FOLDER", "check", "files", "incompatible", "write"]
