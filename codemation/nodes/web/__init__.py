"""What `cm.nodes.http` does. Imported when it is called, because httpx takes its time."""
