"""What is called when something becomes of a job: commands and webhooks."""
