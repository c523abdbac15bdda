-- a checksum a risk, so that part of a grid is compared with what is published risk by risk; null in older runs, which
-- are compared by the checksum of the whole edition
ALTER TABLE result_runs ADD COLUMN edition_checksums jsonb;
