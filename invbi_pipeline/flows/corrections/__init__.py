"""What is done about it: plans, approval, sending, reading back, taking back."""
