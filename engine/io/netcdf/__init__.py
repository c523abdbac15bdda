"""NetCDF files by the CF conventions: axes, packing, time, units, levels."""
