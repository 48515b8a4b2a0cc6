"""Whole stories with real processes: plant → ledger → driver → wire → world → the tests. Read them in that order."""
