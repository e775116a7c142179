"""Pages of foil triage, for leads and for readers; one file for each."""
