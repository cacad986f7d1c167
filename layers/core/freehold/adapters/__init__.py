"""Where the core meets AWS, models and libraries. `wiring` chooses among them; nothing else imports them."""
