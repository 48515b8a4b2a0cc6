"""The command line: parse, call the host once, show a view.

screen → troubles → commands → main is what every command stands on; target, options → progress → outcome → run is the
way of a run; beside them one module per noun. A command's module is imported when the command is used.
"""
