"""What a discriminator knows of daytime depth (DASP)."""
