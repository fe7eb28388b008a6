"""An independent recount: what the input says by CONTRACT.md, compared with what came out.

Nothing here imports the program. It parses, judges and counts in its own plain way, so that a
mistake of the program is not repeated.

    python -m tests.recount --bootstrap localhost:9092 --redis redis://localhost:6379/0
"""
