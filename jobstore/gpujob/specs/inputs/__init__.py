"""One module for each kind's input."""
