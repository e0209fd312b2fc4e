"""From a session's logits to tokens and text, by Whisper's rules."""
