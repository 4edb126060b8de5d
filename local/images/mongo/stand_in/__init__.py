"""A stand-in for mongod in tests, on nx-27017 and SQLite. It is not MongoDB."""
