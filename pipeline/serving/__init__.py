"""The HTTP service: the champion behind the transcription API of OpenAI."""
