"""The engine measured against the physical limit, a peer and its own bars; `python -m benchmarks` runs it all.

Read in the order of the data: `effort` (how much of each) → `stand` (server, databases, our app) with `floor` and
`peer` (the others on the same work) and `flows` (ours) → `chain`, `latency`, `maps`, `starting`, `storage`, `kernel`
(one benchmark each) → `rounds` (interleaved measuring) → `figures` (medians, ratios, bars) → `report`.
"""
