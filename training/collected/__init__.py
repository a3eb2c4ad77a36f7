"""What the collector gathered, as datasets that never change."""
