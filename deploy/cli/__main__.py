"""`python -m deploy.cli` is the `souk` command."""

from deploy.cli import main

if __name__ == "__main__":
    main()
