"""What `coverage` makes of counts."""
