"""From panels to tables: scores, costs, accuracy over data size, verdicts, and the tables of the family."""
