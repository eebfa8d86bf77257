"""What is put before people, what they say, and what their votes come to."""
