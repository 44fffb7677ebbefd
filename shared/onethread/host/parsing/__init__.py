"""What strangers wrote is read in processes of its own, within a budget that is kept from outside. It knows no connector."""
