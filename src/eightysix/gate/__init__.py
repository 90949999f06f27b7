"""What may land in a cluster, and what is put beside it: so far the injection of the sensor into pods."""
