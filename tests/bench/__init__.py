"""`make bench`: figures beside references measured in the same run. Nothing here is an assertion."""
