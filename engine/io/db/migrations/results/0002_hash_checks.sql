-- The same check of the hashes, written so that it costs a microsecond a row instead of fifteen: a counted repetition
-- ({64}) makes the regular expression engine walk a state a character.
ALTER TABLE modelops_vulnerability_cache
  DROP CONSTRAINT modelops_vulnerability_cache_building_hash_check,
  ADD CONSTRAINT modelops_vulnerability_cache_building_hash_check
    CHECK (length(building_hash) = 64 AND building_hash ~ '^[0-9a-f]*$');
ALTER TABLE modelops_aal_cache
  DROP CONSTRAINT modelops_aal_cache_building_hash_check,
  DROP CONSTRAINT modelops_aal_cache_asset_hash_check,
  ADD CONSTRAINT modelops_aal_cache_building_hash_check
    CHECK (length(building_hash) = 64 AND building_hash ~ '^[0-9a-f]*$'),
  ADD CONSTRAINT modelops_aal_cache_asset_hash_check
    CHECK (length(asset_hash) = 64 AND asset_hash ~ '^[0-9a-f]*$');
