"""Everything a connector needs done around it, once; no module here names a connector."""
