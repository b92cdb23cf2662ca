"""AWS: the Amazon States Language and Lambda."""
