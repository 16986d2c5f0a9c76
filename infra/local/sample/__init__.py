"""A recording whose truth is known: a drawn dancer who dances known moves to a song with known beats."""
