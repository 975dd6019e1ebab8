"""What a sentence of financial news says: good, bad or neither, and which words make it so."""
