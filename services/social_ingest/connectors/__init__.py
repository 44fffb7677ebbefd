"""One folder per provider; a folder is found by being there. They import `onethread` and nothing of each other."""
