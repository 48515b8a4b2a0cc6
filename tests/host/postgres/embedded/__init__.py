"""The embedded server, on real processes and real folders."""
