"""``python -m palate.cli`` is ``palate``."""

from palate.cli.app import start

if __name__ == "__main__":
    start()
