"""What is done for all processes by one of them: who does it, and how it is done."""
