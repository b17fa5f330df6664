"""The loops: they run a cell's stages over sequences and know no cell."""
