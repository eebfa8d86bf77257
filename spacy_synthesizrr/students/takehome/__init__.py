"""What a person takes home: the student's speed, its card, its package."""
