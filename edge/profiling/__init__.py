"""What a configuration costs on this board, and what should run here."""
