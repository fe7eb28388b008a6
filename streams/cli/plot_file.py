"""What may go wrong with `--plot`, in one sentence each, and what is said when it went right."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.cli.output import side_console
from streams.complaint import Complaint


def drawable(file: Path) -> Path:
    """The picture's file, as it will be called: PNG where its name says nothing.

    Raises:
        Complaint: matplotlib is not installed, or there can be no such file. It is asked before
            the work, which may take a while, is begun.
    """
    try:
        from matplotlib.backend_bases import FigureCanvasBase  # noqa: PLC0415 - it is optional
    except ModuleNotFoundError as error:
        raise Complaint("--plot needs matplotlib: `pip install matplotlib`.") from error
    if file.is_dir():
        raise Complaint(f"--plot is {file}, which is a directory: name a file in it.")
    if not file.suffix:
        file = file.with_suffix(".png")
    if file.suffix[1:].lower() not in FigureCanvasBase.get_supported_filetypes():
        raise Complaint(f"--plot is {file}: its name must end with .png, .svg or .pdf.")
    if not file.parent.is_dir():
        raise Complaint(f"--plot is {file}, and there is no directory {file.parent}: make it.")
    return file


@contextmanager
def drawing_to(file: Path) -> Iterator[None]:
    """Around the drawing: says where the picture is.

    Args:
        file: a drawable one.

    Raises:
        Complaint: the file cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise Complaint(f"{file} cannot be written: {error.strerror or error}.") from error
    side_console().print(f"The picture is in {file}.", markup=False, soft_wrap=True)
