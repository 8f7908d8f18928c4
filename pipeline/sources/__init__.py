"""Sources of releases: archives, remote addresses, a hub; and the cluster that ingests them."""
