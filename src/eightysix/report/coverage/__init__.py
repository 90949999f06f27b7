"""What `coverage` tells, in every output format."""
