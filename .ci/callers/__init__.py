"""What the foreign callers share: processes to call and to break, calls and what came of them, checks that count."""
