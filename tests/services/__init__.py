"""Real servers for tests: installed once into a cache outside the checkout, started on free ports, stopped by their own pid.

`cache` keeps what was installed, `processes` runs commands and servers, `fixtures` is the pytest plugin, and each server has
a module of its own (`ollama`). Another one is a module with a `running_NAME(state)` context manager and four lines in
`fixtures`. These modules know nothing of the project: they are what its tests talk to, not what its users install. One is no
server: `transformers` keeps packages that are too large for every environment, and gives them to child processes.

This folder is a package, unlike the other folders of tests, so that pytest does not put it on `sys.path`: a module that is
named after its server would hide the server's client there.
"""
