"""`python -m atila`: the command line."""

from atila.cli import main

main()
