-- Regions and storms of any country.
--
-- Codes of regions are those of the country: ten digits in Korea, ISO 3166-2, NUTS or others elsewhere. The columns keep the
-- names of Korea's levels: sido_code is the code of level 1, sigungu_code of level 2, emd_code of level 3.
ALTER TABLE location_admin
  DROP CONSTRAINT location_admin_admin_code_check,
  ALTER COLUMN admin_code   TYPE varchar(20),
  ALTER COLUMN sido_code    TYPE varchar(20),
  ALTER COLUMN sigungu_code TYPE varchar(20),
  ALTER COLUMN emd_code     TYPE varchar(20),
  ADD CONSTRAINT location_admin_admin_code_check CHECK (admin_code ~ '^[^[:space:][:cntrl:]]+$');

-- Tracks of any basin; longitudes run from 0 to 360.
ALTER TABLE api_typhoon_besttrack
  DROP CONSTRAINT api_typhoon_besttrack_longitude_check,
  DROP CONSTRAINT api_typhoon_besttrack_latitude_check,
  ADD CONSTRAINT api_typhoon_besttrack_longitude_check CHECK (longitude BETWEEN 0 AND 360),
  ADD CONSTRAINT api_typhoon_besttrack_latitude_check  CHECK (latitude BETWEEN -90 AND 90);
