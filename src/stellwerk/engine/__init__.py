"""Loops round the core: everything that changes state goes through `apply`."""
