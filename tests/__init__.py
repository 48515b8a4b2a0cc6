"""The tests: they mirror the packages; `architecture` watches the tree itself."""
