"""Models behind one protocol: a request goes in, a completion comes out."""
