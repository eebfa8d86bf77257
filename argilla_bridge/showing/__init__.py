"""What people see of a row, and what they read first."""
