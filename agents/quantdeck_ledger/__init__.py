"""What loads of engines really took: read from processes, kept in a file that agents and commands share."""
