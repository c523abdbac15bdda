"""Rules of an assessment, over frames: no file, no database."""
