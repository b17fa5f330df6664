"""What callers give: arrays, nests, sequences, states; checked before anything is compiled or run."""
