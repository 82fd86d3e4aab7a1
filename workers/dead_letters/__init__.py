"""The dead-letter worker: the net under the other workers."""
