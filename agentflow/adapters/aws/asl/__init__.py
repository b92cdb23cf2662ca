"""The Amazon States Language: reading it, and running it as AWS Step Functions does."""
