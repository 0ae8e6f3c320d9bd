"""One run trained by several processes: the leader starts and watches them, the followers train along."""
