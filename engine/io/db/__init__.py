"""PostgreSQL tools: connections, COPY, migrations, roles, poolers, and the embedded server."""
