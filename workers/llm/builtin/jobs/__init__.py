"""The jobs that the built-in model knows: one module for each reply that a role may ask for."""
