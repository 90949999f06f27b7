"""Ways to be seen less, each run for real under the sensor and under the kernel's: what sees it, and what does not."""
