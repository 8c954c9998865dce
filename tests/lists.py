"""Lists as files, read as a program reads them: the rows, and what stands below them."""

import csv
import io

FOOT = "# "


def split(text: str) -> tuple[str, list[list[str]]]:
    """Return the header and rows of a file as text, and the lines that prove them."""
    above, mark, below = text.partition("\r\n# Address,")
    foot = list(csv.reader(io.StringIO(f"# Address,{below}"))) if mark else []
    return f"{above}\r\n" if mark else text, foot


def rows_only(text: str) -> str:
    """Return a file without what stands below its rows."""
    return split(text)[0]
