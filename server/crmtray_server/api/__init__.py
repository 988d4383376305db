"""HTTP: handlers parse, call and serialise; what they call decides. One module a noun."""
