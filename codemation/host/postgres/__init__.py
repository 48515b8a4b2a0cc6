"""PostgreSQL, the only truth: the store on it, and the server that comes along."""
