"""Nodes that a test imports, sends away and gets back."""

import codemation as cm


@cm.node
def shout(text: str, mark: str = "!") -> str:
    """Say it loud. And twice."""
    return text.upper() + mark


def plain(text: str) -> str:
    return text


later = shout.options(id="later")
ready = shout.bind(mark="?")
wrapped = cm.node(plain)


class Shelf:
    @staticmethod
    @cm.node
    def kept(text: str) -> str:
        return text
