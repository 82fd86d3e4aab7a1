"""Who is at the door, what he may do, and how much of it. Nothing here does I/O or reads a clock."""
