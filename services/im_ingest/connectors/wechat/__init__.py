"""WeChat Official Accounts: everything that only this provider needs. It knows no host and no store."""
