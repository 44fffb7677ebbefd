"""Slack: what people write in channels and direct messages of a workspace where an app of ours is installed."""
