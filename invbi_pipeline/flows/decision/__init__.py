"""What follows from it: `domain` decides on what the warehouse holds; what was decided, by rule or by a person, is kept."""
