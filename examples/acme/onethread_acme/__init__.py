"""An outside package with one connector of Onethread. It imports `onethread`, and no service."""
