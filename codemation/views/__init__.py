"""What a person sees, as plain data: pure functions from definitions and runs to pictures, texts and rows.

marks → runs → tables are the data; lettering → layers → alignment → clusters → graph → svg is the way to a picture,
and mermaid and text are two shorter ones. Nothing here reads a database, a file or a clock.
"""
