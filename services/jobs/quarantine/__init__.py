"""Jobs that may kill their worker: suspected, counted, parked."""
