"""The web: a real server over an embedded PostgreSQL, asked over HTTP."""
