COPY assets (org_id, name, scale) FROM STDIN (FORMAT binary)
