"""`python -m workers.cli` is the `flotilla` command."""

from workers.cli.app import main

main()
