"""Whether a table holds nothing but numbers, one to a row."""

import sys

with open(sys.argv[1]) as table:
    for at, row in enumerate(table, start=1):
        if not row.strip().isdigit():
            sys.exit(f"{sys.argv[1]}:{at}: not a number: {row.strip()}")
