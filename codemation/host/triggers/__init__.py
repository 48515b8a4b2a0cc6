"""What starts runs by itself: which triggers are armed, what they owe, and how that is started, once.

Read in the order of the data: `arms` (a trigger as it is armed) → `activation` (by whom, and whether it may be) →
`ticking`, `polling`, `watching`, `webhooks` (what owes a run) → `firing` (what is owed is started) → `backfill`.
"""
