"""Social networks: one folder per provider under `connectors`, and the service that runs them. It knows no other service."""
