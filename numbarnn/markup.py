"""Tables as HTML, which notebooks show in place of a `repr`."""

from html import escape

_LEFT = ' style="text-align: left"'
_RIGHT = ' style="text-align: right"'


def table(title, head, rows, told=""):
    """A table with a title above it; whatever is written into it is escaped.

    Parameters
    ----------
    title : str
    head : sequence of str
        Of the columns; the last one holds counts, and their total is put below it.
    rows : sequence of sequences
        None as an entry is drawn as a dash. Without rows there is a title only.
    told : str
        What stands behind the title.

    Returns
    -------
    str
    """
    title = f"<b>{escape(title)}</b>{' ' if told else ''}{escape(told)}"
    if not rows:
        return f"<div>{title}</div>"
    counts = [row[-1] for row in rows if row[-1] is not None]
    lines = [[*row[:-1], row[-1] if row[-1] is None else f"{row[-1]:,}"] for row in rows]
    foot = ["total", *[""] * (len(head) - 2), f"{sum(counts):,}" if counts else None]
    return (
        f"<div>{title}<table><thead>{_row('th', head)}</thead>"
        f"<tbody>{''.join(_row('td', line) for line in lines)}</tbody>"
        f"<tfoot>{_row('th', foot)}</tfoot></table></div>"
    )


def _row(kind, entries):
    cells = [
        f"<{kind}{_RIGHT if place == len(entries) - 1 else _LEFT}>"
        f"{escape('-' if entry is None else str(entry))}</{kind}>"
        for place, entry in enumerate(entries)
    ]
    return f"<tr>{''.join(cells)}</tr>"
