"""The commands, a module each; `python -m jobs` and `climate-risk` list them."""

import sys

if sys.platform == "win32":
    try:
        import engine  # noqa: F401
    except ImportError as err:
        print(f"refused: {err}", file=sys.stderr)
        raise SystemExit(2) from None
