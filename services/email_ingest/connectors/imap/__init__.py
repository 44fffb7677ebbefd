"""IMAP: everything that only this protocol needs. What a mail means is in `email_ingest.mime`."""
