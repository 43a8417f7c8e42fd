DROP TABLE card;
DROP TABLE dek;
DROP TABLE customer;
