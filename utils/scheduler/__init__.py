"""Which task runs next: host queues, rate and concurrency limits, retries. No I/O and no clock."""
