"""crmtray: CRM alerts in the tray. Imports nothing, so that every extra can import it."""

__version__ = "0.1.0"
