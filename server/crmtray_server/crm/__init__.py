"""The CRM: reading and changing a database that belongs to others, and the sample that stands in for one."""
