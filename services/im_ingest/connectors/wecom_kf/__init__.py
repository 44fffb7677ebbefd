"""WeCom customer service: everything that only this provider needs. It knows no host and no store."""
