"""One folder per provider; a folder is found by being there. They import `onethread`, and `email_ingest` for what mail is."""
