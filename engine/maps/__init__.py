"""Values of a lattice as pictures, and the lines to draw over them."""
