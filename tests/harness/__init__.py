"""What the pytest suites share: a private Kafka and PostgreSQL (cell.py), our
daemons as processes (daemon.py), records read and written by kcat (kafka.py),
and waiting with a deadline (wait.py). No test sleeps to wait."""
