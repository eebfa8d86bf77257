"""`python -m argilla_bridge`."""

from argilla_bridge.cli import main

main()
