"""The Cloud Run GPU job: takes jobs from the backlog, infers in batches, records, until none is left."""
