"""The command line: what `./glossa <verb>` runs, one verb a file."""
