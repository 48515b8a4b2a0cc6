"""Redis: messages between processes, which are only hints."""
