"""Offers: the number each listing should show now, from pools and policies, and what that is worth."""
