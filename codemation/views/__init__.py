"""What a person sees, as plain data: pure functions from definitions and runs to pictures, texts and rows.

marks → failures → runs and tables are the data of runs. lettering → layers → alignment → placement → clusters →
drawing → canvas → graph → svg is the way to a picture, in the order in which it is drawn; mermaid and text are two
shorter ways to show the same. Nothing here reads a database or a clock, or writes anything.
"""
