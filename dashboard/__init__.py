"""How good captions were over the sessions, as a page in the browser: `./glossa dashboard`."""
