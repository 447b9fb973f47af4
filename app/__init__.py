"""The web page of the KBLaM Playground; it imports only the public names of kblam_core."""
