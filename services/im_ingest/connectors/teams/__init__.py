"""Microsoft Teams, by Bot Framework activities: everything that only this provider needs. It knows no host and no store."""
