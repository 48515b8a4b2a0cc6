"""The web process: one ASGI application."""
