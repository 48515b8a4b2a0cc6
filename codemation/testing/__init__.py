"""What helps to test workflows, and adapters of the ports."""
