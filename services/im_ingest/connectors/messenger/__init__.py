"""Messenger, by the Messenger Platform: everything that only this provider needs. It knows no host and no store."""
