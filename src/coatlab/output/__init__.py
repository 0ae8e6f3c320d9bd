"""Output for people and to disk: text, Markdown tables, figures, and files that are written atomically."""
