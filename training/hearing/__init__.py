"""What recognisers make of speech, for texts to be told that way."""
