"""One module per command: each reads files, calls plain functions, writes files and a receipt."""
