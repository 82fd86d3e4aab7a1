"""The door for people, browsers and HTTP clients. It holds no state: all of it is in the log."""
