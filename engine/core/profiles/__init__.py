"""Names of the country profiles of the package, whose data are the TOML files here."""

#: the first is the default of the setting COUNTRY
PROFILES = ("korea", "generic")
