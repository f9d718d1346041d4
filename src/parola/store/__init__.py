"""The truth in SQL: room events, accounts, sessions, leases."""
