"""Finding jobs that a broker, a queue or a worker lost, and sending them round again."""
