"""Speed as a figure: each row is a ratio to the bare library on the same servers in the same run (`make bench`)."""
