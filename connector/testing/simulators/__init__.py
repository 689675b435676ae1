"""Stand-ins for the outside services, each an independent reading of its vendor's documents."""
