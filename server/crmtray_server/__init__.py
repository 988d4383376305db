"""The server of crmtray: reads a CRM, decides who must know what, keeps every person's feed."""
