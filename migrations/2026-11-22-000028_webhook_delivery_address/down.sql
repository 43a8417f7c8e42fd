ALTER TABLE webhook_delivery DROP CONSTRAINT webhook_delivery_url_check,
    ADD CONSTRAINT webhook_delivery_url_check CHECK (length(url) BETWEEN 8 AND 2000);
