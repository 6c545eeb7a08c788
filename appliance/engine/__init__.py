"""The worker's half of the appliance: one loaded model, many sequences in one batch. The daemon never imports it."""
