"""Telling people outside: which causes are open, who has them, and in which shape each receiver hears of them."""
