"""Where releases come from: archives, remote addresses, a hub; and the cluster that ingests them."""
