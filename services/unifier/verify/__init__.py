"""The promises of a store (I1 to I10) as checks that read it page by page, change nothing, and say what mends what is broken."""
