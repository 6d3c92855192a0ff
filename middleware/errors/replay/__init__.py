"""Failed requests are kept, to be run again after a change: by whoever may see the details of their errors."""
