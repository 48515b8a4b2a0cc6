"""Work on this machine: call → capture → perform → schedule → watch who lives. Read them in that order."""
