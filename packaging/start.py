"""Where the bundle's program begins: what PyInstaller runs. Owns nothing; everything is in `crmtray`."""

from crmtray.__main__ import main

main()
