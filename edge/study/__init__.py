"""The published comparison of quantized Whispers, measured again here, table by table."""
