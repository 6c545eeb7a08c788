"""What a path turns out to be: the files of a model in each format, and what they say of themselves."""
