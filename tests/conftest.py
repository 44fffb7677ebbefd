"""What all tests share: fixtures of real servers, and nothing else."""

pytest_plugins = ["onethread.testing.backends"]
