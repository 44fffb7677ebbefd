"""Acme Chat: everything that only this provider needs."""
