"""Open an artifact with one inference library, behind the Session interface."""
