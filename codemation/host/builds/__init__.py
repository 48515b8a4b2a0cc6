"""Builds of an app: what its workflows are, with the files that they are made of, each by its digest.

Read in the order of the data: `closure` (which files a workflow needs) → `bundle` (those files as bytes) → `manifest`
(what is in a build) → `building` → `deploying` → `loading` (back to workflows, several versions side by side).
"""
