"""The parts of HTTP that can be decided without a connection: problems, pages, repeats and preferences."""
