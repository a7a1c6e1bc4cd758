"""Takes each of the forty rules out of a copy of the code, piece by piece, and sees that a test fails then."""
