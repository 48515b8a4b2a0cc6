"""The application: it makes the ports real and runs workflows in this process."""
