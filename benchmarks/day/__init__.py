"""A synthetic day, replayed through a model of the parts: what gives first, and which step answers it.

`python -m benchmarks.day` plays it with the costs that lie beside it; `--measure` measures them anew on this tree.
"""
