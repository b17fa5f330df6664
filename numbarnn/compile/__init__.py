"""From Python functions to machine code: binding names, compiling steps, reporting their errors."""
