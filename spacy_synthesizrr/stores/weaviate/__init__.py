"""Passages in Weaviate: the same store as the one in this process, in a database that several machines may share."""
