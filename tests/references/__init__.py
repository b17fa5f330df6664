"""Cells in plain NumPy, float64, from the equations cited; nothing here is imported from numbarnn.

Every function takes a cell's weights, in the order in which the cell makes them, and gives
``step(x, states) -> (output, states)``.
"""
