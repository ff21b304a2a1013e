"""Where the program begins: the rest is imported where ctrl+c is heard already."""

import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command line; ctrl+c ends it without a traceback, also before it is imported."""
    try:
        from assistant.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
