"""What happens on the board, one folder for each stage that the sound passes through."""
