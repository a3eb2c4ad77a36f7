"""Everything that captions serves over HTTP."""
