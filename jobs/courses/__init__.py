"""What the jobs do, one module each; the modules beside hold their arguments, so that help waits for nothing."""
