"""Downloads: bytes from anywhere into verified files, resumable at any moment. Knows no store, no job, no settings."""
