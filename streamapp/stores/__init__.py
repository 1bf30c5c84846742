"""Table stores: rows with their event times, one database a partition, offsets written with the rows."""
