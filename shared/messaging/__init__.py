"""RabbitMQ as Souk uses it: topology as data, confirmed publishing, one consumer for every service."""
