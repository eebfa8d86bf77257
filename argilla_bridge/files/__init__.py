"""Review without a server: rows and answers in a file."""
