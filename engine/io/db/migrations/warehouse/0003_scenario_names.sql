-- Scenarios of other data than the four SSPs: what is shown instead of the code. Where one has a name, the climate tables
-- hold those with names and no others.
ALTER TABLE scenario ADD COLUMN name varchar(40) UNIQUE CHECK (name <> '');
