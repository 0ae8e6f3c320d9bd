"""What is written for people and to disk: text, Markdown, figures, whole files."""
