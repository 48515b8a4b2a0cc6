"""The engine and its language, pure: no I/O, no threads, no database.

Read it in the order of the data. What people write: `node`, `params`, `outlets`, `flow`, `start`, `workflow`. What
becomes of it: `signature`, `build`, `definition`. What a run is: `signals` → `advance` → `facts` → `snapshot`. What
moves it: `ports`, `opening`, `delivery`, `folding`, `engine`. What flows: `items`, `values`, `payload`, `inputs`,
`outputs`.
"""
