"""Rules of other tools, drawn as those tools draw them."""
