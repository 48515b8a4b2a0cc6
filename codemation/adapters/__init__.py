"""What connects to the world outside: reached by name, and independent of one another."""
