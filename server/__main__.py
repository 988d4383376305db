"""`python -m server` from a checkout; not shipped."""

from crmtray_server.__main__ import main

main()
