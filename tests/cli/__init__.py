"""The command line: in this process where texts matter, as a process of its own where signals and streams do."""
