"""What is there and what is missing for a run: looked at without changing, starting, downloading or paying for anything."""
