"""Commands: one module each, with the option parsing that the fixed-path scripts share."""
