"""The command `segtutorial`: Ctrl-C is as quiet while the libraries load as it is later."""

import sys


def main() -> int:
    """The exit code of `segtutorial.cli.main`; 130 where the loading itself was interrupted."""
    try:
        from segtutorial.cli import main as run

        return run()
    except KeyboardInterrupt:
        print("\nsegtutorial: stopped; nothing was written", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
