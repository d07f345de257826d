"""The whole of Souk on one machine, everything under `.souk/`, supervised."""
