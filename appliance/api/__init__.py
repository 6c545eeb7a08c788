"""HTTP and nothing else: routes, who may use them, errors and streams. No wire struct and no decision lives here."""
