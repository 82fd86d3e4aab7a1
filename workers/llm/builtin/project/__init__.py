"""Writing a record-keeping service: from requirements to a design, source files and tests."""
