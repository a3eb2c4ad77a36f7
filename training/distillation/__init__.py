"""What a small translator learns from a large one."""
