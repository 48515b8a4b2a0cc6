"""The durability protocol, explored state by state: exploration → the models of its parts → what must hold of each."""
