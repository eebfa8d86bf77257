"""Content sourcing: seeds and hits become planned candidates."""
