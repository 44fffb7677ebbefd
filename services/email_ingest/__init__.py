"""The mail service: mailboxes in, events out. `mime` reads a mail's bytes, once for all mail connectors beside it."""
