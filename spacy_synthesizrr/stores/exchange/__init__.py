"""An index as one file: out of one kind of store and into another, with its vectors."""
