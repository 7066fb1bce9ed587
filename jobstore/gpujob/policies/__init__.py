"""Who may do what to a queue's bucket: the roles as one table, and that table in the words of each store."""
