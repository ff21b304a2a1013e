"""The application: conversations, models, the engine, rebuilds. No widgets, no SQL, no torch."""
