"""Write a checkpoint as an artifact for one target."""
