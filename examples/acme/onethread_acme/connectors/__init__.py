"""One folder per provider, like those of the ingest services, so that the connector suite finds them alike."""
