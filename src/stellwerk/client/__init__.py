"""The phone line between those who run user code and those who keep the record."""
