"""What texts become rows to train on, and how they are mixed."""
