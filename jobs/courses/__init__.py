"""Work of the jobs, one module each; the modules beside hold their arguments, so that help waits for nothing."""
