"""The command `streamapp`: Faust's own command line with our app and our commands."""

from __future__ import annotations

from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line; ends the process."""
    from streamapp.app import app

    app.main()


if __name__ == "__main__":
    main()
