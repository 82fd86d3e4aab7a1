"""The messages of Flotilla: what may be said on the bus, under which name, in which shape."""
