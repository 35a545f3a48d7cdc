COPY skus (org_id, sku_id, name) FROM STDIN (FORMAT binary)
