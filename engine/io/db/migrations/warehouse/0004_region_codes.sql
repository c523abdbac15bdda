-- Codes of regions are those of the country: ten digits in Korea, ISO 3166-2, NUTS or others elsewhere. The columns keep the
-- names of Korea's levels: sido_code is the code of level 1, sigungu_code of level 2, emd_code of level 3.
ALTER TABLE location_admin
  DROP CONSTRAINT location_admin_admin_code_check,
  ALTER COLUMN admin_code   TYPE varchar(20),
  ALTER COLUMN sido_code    TYPE varchar(20),
  ALTER COLUMN sigungu_code TYPE varchar(20),
  ALTER COLUMN emd_code     TYPE varchar(20),
  ADD CONSTRAINT location_admin_admin_code_check CHECK (admin_code ~ '^[^[:space:][:cntrl:]]+$');
