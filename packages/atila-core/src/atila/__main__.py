"""`python -m atila`: the command line."""

from atila.launch.cli import main

main()
