"""Errors that are said to whoever runs the program, instead of shown as a traceback."""

from typing import ClassVar


class Complaint(Exception):
    """Something is wrong that whoever runs the program can put right.

    Each line of the message is one sentence that says what is wrong and what to do.
    """

    status: ClassVar[int] = 1
    """Exit status of a program that ends by it."""
