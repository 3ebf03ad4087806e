"""GCS: blocks in Google Cloud Storage."""
