"""``python -m raymtl``, the same as the console script."""

from raymtl.cli import main

main()
