"""From a song to a dance: the move library, the plan upon the music, the video."""
