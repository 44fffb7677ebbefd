"""What all tests share: fixtures of real servers, and the same examples in each run; `make soak` draws new ones."""

import os

from hypothesis import settings

pytest_plugins = ["onethread.testing.backends"]

settings.register_profile("same", derandomize=True, database=None)
settings.register_profile("new", derandomize=False, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("ONETHREAD_EXAMPLES", "same"))
