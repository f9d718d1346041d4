"""The media process: shells that move packets around the pure pieces below."""
