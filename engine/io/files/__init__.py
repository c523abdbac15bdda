"""Files of other people: found, unpacked and read; whatever is wrong with one becomes a sentence that names it."""
