"""Tables, verdicts and figures as files, pages and W&B runs."""
