"""The gate at work: webhooks that are taken, registries that are asked, decisions that are made and explained."""
