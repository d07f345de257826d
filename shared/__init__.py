"""What two or more services use: contracts, messaging, database, web edge."""
