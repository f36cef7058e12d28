"""``python -m palate.cli`` is ``palate``."""

from palate.cli.app import main

if __name__ == "__main__":
    main()
