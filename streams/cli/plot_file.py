"""What may go wrong with `--plot`, in one sentence each."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.complaint import Complaint


@contextmanager
def drawing_to(file: Path) -> Iterator[None]:
    """Around the import of what draws, which needs the optional matplotlib, and the drawing.

    Args:
        file: the picture.

    Raises:
        Complaint: matplotlib is not installed, or the file cannot be written, or not as what its
            name ends with.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise Complaint(
            "--plot needs matplotlib: install it with `pip install 'clv-stream[plot]'`."
        ) from error
    except (OSError, ValueError) as error:
        raise Complaint(f"{file} cannot be drawn to: {error}.") from error
