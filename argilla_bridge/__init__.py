"""The Argilla round trip: push candidates for review, pull the votes."""
