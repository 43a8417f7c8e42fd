DROP TABLE idempotency_key;
DROP TABLE offer;
