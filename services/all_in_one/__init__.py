"""The composition root: the command `onethread`, and every service in one process. Nothing imports it."""
