"""News of runs between processes: never what is in a revision, only that there is one."""
