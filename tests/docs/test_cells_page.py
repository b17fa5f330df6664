"""The page about the cells says what their docstrings say, and leaves none out."""

import cells_page

import numbarnn as nr


def test_the_page_is_made_from_the_docstrings_as_they_are():
    assert cells_page.PAGE.read_text() == cells_page.page(), "run python tests/docs/cells_page.py"


def test_every_public_cell_is_on_the_page():
    listed = {f"{name}Cell" for names in cells_page.GROUPS.values() for name in names}
    public = {name for name in nr.__all__ if name.endswith("Cell") and name != "Cell"}
    assert listed == public
