"""The weekly loop: its plan, its steps, and what it has done."""
