"""Everything that knows Qt. `app` builds it; `bridge` is the only way in from the client below."""
